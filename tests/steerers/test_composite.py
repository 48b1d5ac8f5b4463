"""Methods made of others: names, pins, settings, conflicts, plans and artifacts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.steerers.states import context, request
from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import Steered, Steerer, SteerRequest
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.composite import Composite, Part, chain, split
from valuebench_harness.steerers.registry import make_steerer, split_direction


def composite(name: str, **settings: Any) -> Composite:
    made = make_steerer(name, settings)
    assert isinstance(made, Composite)
    return made


def fitted(steerer: Composite) -> Artifact:
    """What the harness does: each part's fit by itself, joined."""
    artifact = steerer.join([part.fit(context(n=40, gap=8.0)) for part in steerer.parts])
    assert artifact is not None
    return artifact


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        ("ica-negative+conva", None),
        ("ica-negative+conva-positive", None),
        ("ica-negative+conva-negative", "negative"),
        ("ica-none+conva-positive", "positive"),
        ("ica+conva", None),
        ("ica-none", None),
    ],
)
def test_a_whole_is_pinned_where_all_its_parts_are_pinned_alike(name: str, pinned: str | None) -> None:
    assert split_direction(name) == (name, pinned)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ica+ica", "'ica' comes twice"),
        ("ica-positive+ica-negative", "'ica' comes twice"),
        ("ica+instruction", "'ica' and 'instruction' both rewrite the user message"),
        ("ica+", "a method is missing beside the plus"),
        ("caa+convva", "Did you mean 'conva'"),
        ("random", "random:conva"),
        ("random:", "random:conva"),
        ("random:ica", "rewrites the prompt"),
    ],
)
def test_what_does_not_go_together_is_an_error(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_steerer(name)


def test_methods_of_different_parts_of_the_prompt_go_together() -> None:
    made = make_steerer("role+ica", {"role.text": "You are a nurse."})
    done = made.plan(request(), None)
    assert [m.role for m in done.messages] == ["system", "user"]
    assert done.messages[0].content.startswith("You are a nurse.")
    assert done.messages[1].content.endswith("Should I wait?")
    assert done.messages[1].content != "Should I wait?"


OWN = """
from valuebench_harness.engine.plan import Message
from valuebench_harness.steerers import Steered, Steerer

class Polite(Steerer):
    name = "polite"
    source = "a test"
    strengths = "switch"

    def plan(self, request, artifact):
        if request.strength == 0:
            return Steered(request.messages)
        *before, last = request.messages
        return Steered((*before, Message(last.role, last.content + " Please.")))
"""


def test_a_users_rewrite_conflicts_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "a+b.py"  # a plus in a path is no composition
    path.write_text(OWN, encoding="utf-8")
    assert make_steerer(f"{path}:Polite").name == "polite"
    plain = tmp_path / "own.py"
    plain.write_text(OWN, encoding="utf-8")
    with pytest.raises(UsageError, match="'ica' and 'polite' both rewrite the user message"):
        make_steerer(f"ica+{plain}:Polite")
    assert make_steerer(f"{plain}:Polite+caa").name == "polite+caa"


def test_settings_find_their_method() -> None:
    made = composite("ica+caa+conva", **{"scope": "prompt", "conva.per": "prompt", "caa.strength": 0.5})
    _, caa, conva = made.parts
    assert (caa.settings.scope, conva.settings.per) == ("prompt", "prompt")
    assert [m.strength for m in made.members] == [None, 0.5, None]
    inner = make_steerer("random:caa", {"draw": 2, "scope": "prompt"})
    assert inner.settings.draw == 2
    assert inner.parts[0].settings.scope == "prompt"


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("caa+conva", {"scop": "all"}, "Did you mean 'caa.scope'"),
        ("caa+conva", {"cca.scope": "all"}, "Did you mean 'caa'"),
        ("caa+conva", {"caa.scope": "everywhere"}, "Setting 'scope' of steerer 'caa'"),
        ("caa+conva", {"caa.strength": "much"}, "'caa.strength' must be a number"),
        ("caa+conva", {"caa.strength": -1}, "Strength -1 of 'caa'"),
        ("ica+caa", {"ica.strength": 0.5}, "must be 0 .off. or 1 .on."),
        ("caa", {"caa.strength": 2}, "Unknown setting of steerer 'caa' 'strength'"),
    ],
)
def test_settings_that_fit_no_method_are_named(name: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_steerer(name, settings)


def test_a_setting_that_several_methods_have_must_name_one(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        OWN
        + """
from valuebench_harness.steerers.base import Settings

class Loud(Settings):
    scope: str = "x"

class Shout(Polite):
    name = "shout"
    settings_type = Loud
""",
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match=r"belongs to several methods .* write shout\.scope or caa\.scope"):
        make_steerer(f"{path}:Shout+caa", {"scope": "all"})


def test_a_composite_takes_scale_gate_and_grid_from_its_scaled_parts() -> None:
    conva = make_steerer("conva")
    made = composite("ica-negative+conva")
    assert (made.name, made.strengths) == ("ica-negative+conva", "real")
    assert (made.default_strength, made.default_gate) == (conva.default_strength, conva.default_gate)
    assert made.tuning_grid == conva.tuning_grid == tuple(map(float, range(1, 16)))
    off = composite("ica+conva-none")
    assert (off.strengths, off.default_gate) == ("switch", "none")
    with pytest.raises(UsageError, match=r"Strength 2 of 'ica\+conva-none'"):
        off.check_strength(2)


def test_prompt_parts_are_on_while_the_strength_scales_the_others() -> None:
    made = composite("ica-negative+caa")
    artifact = fitted(made)
    ica, caa = make_steerer("ica"), make_steerer("caa")
    for strength in (0.5, 3.0):
        done = made.plan(request(strength), artifact)
        assert done.messages == ica.plan(request(1.0, "negative"), None).messages
        assert done.plan == caa.plan(request(strength), split(artifact)[1]).plan
        assert [i.coefficient for i in done.plan.interventions] == [strength]
    off = made.plan(request(0), artifact)
    assert (off.messages, off.plan.is_empty) == (request().messages, True)


def test_a_part_switched_off_or_fixed_stays_as_it_is() -> None:
    none = composite("ica-none+caa")
    artifact = fitted(none)
    assert none.plan(request(2), artifact).messages == request().messages
    fixed = composite("caa+conva", **{"caa.strength": 0.5})
    artifact = fitted(fixed)
    steps = fixed.plan(request(2, "negative"), artifact).plan.interventions
    assert [s.coefficient for s in steps if s.kind == "add"] == [-0.5]
    assert {s.params["sign"] for s in steps if s.kind != "add"} == {-1.0}


def test_the_gate_governs_the_parts_that_use_one() -> None:
    """Behind ConVA's closed gate the prompt still says what it says: the control-priority experiment's other arm."""
    gated = composite("ica-negative+conva")
    done = gated.plan(request(2, gate_open=False), fitted(gated))
    assert done.plan.is_empty
    assert done.messages != request().messages
    named = composite("ica+caa")  # neither has a gate of its own, so one named by the user governs both
    done = named.plan(request(2, gate_open=False), fitted(named))
    assert done.plan.is_empty
    assert done.messages == request().messages


def test_a_joined_artifact_comes_back_from_disk_in_parts(tmp_path: Path) -> None:
    made = composite("ica+caa+conva")
    whole = fitted(made)
    whole.save(tmp_path / "both.safetensors")
    read = Artifact.load(tmp_path / "both.safetensors")
    assert read.digest == whole.digest
    assert (read.meta.method, read.meta.layers) == (
        "ica+caa+conva",
        tuple(sorted({*split(whole)[1].meta.layers, *split(whole)[2].meta.layers})),
    )
    for place in (1, 2):
        own = made.parts[place].fit(context(n=40, gap=8.0))
        assert own is not None
        assert split(read)[place].digest == own.digest
        assert {n: a.tobytes() for n, a in split(read)[place].arrays.items()} == {
            n: np.ascontiguousarray(a).tobytes() for n, a in own.arrays.items()
        }
    assert made.plan(request(2), read).plan == made.plan(request(2), whole).plan
    assert make_steerer("ica+role-none").join([None, None]) is None


class Echo(Steerer[Any]):
    """Appends a letter, so that order shows."""

    name = "echo"
    source = "a test"

    def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        *before, last = request.messages
        return Steered((*before, Message(last.role, f"{last.content}{request.strength:g}{request.direction[0]}")))


def test_parts_act_in_the_order_written() -> None:
    second = Echo()
    second.name = "second"
    made = Composite([Part(Echo(), "negative", 2.0), Part(second)])
    assert made.plan(request(3.0), None).messages[-1].content == "Should I wait?2n3p"


def test_chain_hands_messages_on_and_adds_plans() -> None:
    caa = make_steerer("caa")
    artifact = caa.fit(context(n=10))
    asked = request(2.0)
    steps = [lambda messages: caa.plan(replace(asked, messages=messages), artifact)] * 2
    done = chain(asked.messages, steps)
    assert done.messages == asked.messages
    assert len(done.plan.interventions) == 2
