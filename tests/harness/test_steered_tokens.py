"""What a run keeps of the tokens that were steered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from valuebench_harness.harness.check.explain import explain
from valuebench_harness.harness.check.explanation import Token
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.evaluate import evaluate
from valuebench_harness.harness.records import Sample

SETTINGS: dict[str, Any] = {"values": ("security",), "tasks": ("mini_security", "mini_exam"), "limit": 2}


@pytest.fixture(autouse=True, scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of these tests' own, empty at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VHARNESS_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def steered(samples: dict[str, Sample]) -> list[Sample]:
    return [s for s in samples.values() if s.condition.startswith("conva") and s.answer]


def test_a_run_says_the_same_as_explain_and_the_cache_the_same_as_the_run(tmp_path: Path) -> None:
    first = evaluate("mini", "conva", **SETTINGS, out=tmp_path / "a")
    again = evaluate("mini", "conva", **SETTINGS, out=tmp_path / "b")
    assert again.samples == first.samples
    assert all(s.moved_prompt is None for s in first.samples.values() if s.condition == "base" or not s.answer)
    sample = next(s for s in steered(first.samples) if s.gate_open)
    question = first.documents[sample.document].text
    strength = first.conditions[sample.condition].strength
    told = explain(make_config(model="mini", steerer="conva", values=("security",), strength=(strength,)), question)
    assert told.answer == sample.answer
    layers = [layer for layer, _ in told.places]
    for part, moved, text in (
        ("prompt", sample.moved_prompt, sample.prompt),
        ("answer", sample.moved_answer, sample.answer),
    ):
        tokens = [t for t in told.tokens if t.part == part]
        read = tokens if part == "prompt" else tokens[:-1]  # explain feeds the last token of an answer, too
        assert moved is not None
        assert moved.tokens == sum(any(t.shift) for t in read)
        assert dict(moved.layers) == {
            layer: n for i, layer in enumerate(layers) if (n := sum(t.shift[i] > 0 for t in read))
        }
        assert moved.spans is not None
        assert "".join(text[a:b] for a, b in moved.spans) == _said(read)


def _said(tokens: list[Token]) -> str:
    return "".join(t.text for t in tokens if any(t.shift))


def test_a_closed_gate_and_a_rewritten_prompt_mark_nothing(tmp_path: Path) -> None:
    closed = evaluate("mini", "conva", **SETTINGS, gate_settings={"g0": 0.999}, out=tmp_path / "closed")
    assert [s.gate_open for s in steered(closed.samples)] == [False, False]
    prompts = evaluate("mini", "ica", **SETTINGS, out=tmp_path / "ica")
    for sample in (*steered(closed.samples), *prompts.samples.values()):
        assert (sample.moved_prompt, sample.moved_answer) == (None, None)
