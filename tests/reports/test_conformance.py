"""What the conformance suite found, in every format, with whatever a user's code says."""

from __future__ import annotations

import json

from valuebench_harness.harness.check.explanation import Explanation, Token
from valuebench_harness.harness.check.outcome import CheckRecord, Conformance, failed, passed
from valuebench_harness.reports import conformance, explanation

EVIL = "\x1b[2Jgone | <b>bold</b> [red]markup[/red]"


def found() -> Conformance:
    checks = (
        CheckRecord(check="acts", asks="steering does something", **passed("it does", moved=0.5).model_dump()),
        CheckRecord(
            check="precision",
            asks="bfloat16 stays finite",
            **failed(EVIL, gap=float("inf")).model_copy(update={"frames": f"  File x.py\n    {EVIL}"}).model_dump(),
        ),
    )
    return Conformance(
        steerer="x.py:X",
        model="mini",
        fingerprint="f",
        value="power",
        direction="positive",
        strength=2.0,
        settings={},
        layers=(3,),
        version="0",
        checked="2026-01-01T00:00:00+00:00",
        checks=checks,
    )


def test_json_is_json() -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    read = json.loads(conformance.render_json(found()), parse_constant=refuse)
    assert read["failed"] == ["precision"]
    assert Conformance.model_validate_json(found().model_dump_json()) == found()


def test_words_of_a_users_code_are_only_text() -> None:
    for shown in (conformance.render_text(found()), conformance.render_markdown(found())):
        assert "\x1b" not in shown
        assert "1 passed, 1 failed" in shown
    assert "[red]markup[/red]" in conformance.render_text(found())
    assert "<b>" not in conformance.render_markdown(found()).partition("```")[0]


def test_a_deep_model_is_shown_in_part() -> None:
    token = Token(text="\x1b[2J|", part="answer", shift=(0.5,) * 40, share=(0.9,) * 40, drift=(1.0,) * 40)
    deep = Explanation(
        steerer="conva",
        model="big",
        value="power",
        direction="positive",
        strength=1.0,
        question="?",
        rewritten=(),
        answer=EVIL,
        places=tuple((i, "block") for i in range(40)),
        n_layers=40,
        tokens=(token,),
    )
    for shown in (explanation.render_text(deep), explanation.render_markdown(deep)):
        assert "\x1b" not in shown
        assert "39" in shown
        assert "38" not in shown
    assert len(json.loads(explanation.render_json(deep))["tokens"][0]["shift"]) == 40
