"""What the sample browser says steering did to an answer."""

from __future__ import annotations

import json

import pytest

from valuebench_harness.engine.rows import Moved
from valuebench_harness.harness.records import BASE, Condition, FitRecord
from valuebench_harness.harness.run import Answer, Run
from valuebench_harness.reports.browser import sample_data
from valuebench_harness.reports.touch import steered_layers, touch

NOTHING = Moved(0, (), ())
NOT_TOLD = {"moved_prompt": None, "moved_answer": None}


def fit(value: str, *layers: int) -> FitRecord:
    return FitRecord(method="conva", value=value, digest="0" * 32, layers=layers, seconds=1.0, cached=False)


def steered(run: Run) -> Answer:
    return next(a for a in run.answers() if a.condition.value == "power")


@pytest.mark.parametrize(
    ("changes", "layers", "words"),
    [
        (
            {"steered": True, "gate_open": True, "gate_score": 0.834},
            (1, 2),
            "Steered at layers 1-2. Gate open, g(x) 0.83.",
        ),
        ({"steered": False, "gate_open": False, "gate_score": 0.1}, (1, 2), "Left as it was. Gate closed, g(x) 0.10."),
        ({"steered": True, "gate_open": None, **NOT_TOLD}, (4,), "Steered at layer 4."),
        ({"steered": True, "gate_open": True, **NOT_TOLD}, (), "Steered. Gate open."),
        ({"steered": True, "moved_answer": Moved(3, ((5, 3),), ())}, (1, 2), "Steered at layers 1-2, 5. Gate open."),
        ({"moved_prompt": NOTHING, "moved_answer": NOTHING}, (1, 2), "Steered, but no state had to change. Gate open."),
    ],
)
def test_words_follow_the_sample(run: Run, changes: dict[str, object], layers: tuple[int, ...], words: str) -> None:
    found = steered(run)
    sample = found.sample.model_copy(update=changes)
    answer = Answer(sample=sample, document=found.document, condition=found.condition, verdicts=found.verdicts)
    assert touch(answer, layers) == words


def test_layers_are_those_asked_for_or_those_that_all_fits_share() -> None:
    power = Condition(id="x", steerer="conva", value="power")
    assert steered_layers(power, [fit("power", 1, 2), fit("security", 3)]) == (1, 2)
    assert steered_layers(power.model_copy(update={"layers": (5,)}), [fit("power", 1, 2)]) == (5,)
    assert steered_layers(power, [fit("power", 1, 2), fit("power", 3)]) == ()
    assert steered_layers(power, []) == ()
    assert steered_layers(BASE, [fit("power", 1)]) == ()


def test_the_page_holds_it_for_every_steered_answer(run: Run) -> None:
    data = json.loads(json.dumps(sample_data(run)))
    words = [data["texts"][n] for n in data["samples"]["touch"]]
    for said, answer in zip(words, run.answers(), strict=True):
        assert (said == "") == (answer.condition.value is None)
        assert said.startswith("Steered at layers 1-2.") == (
            answer.sample.steered and answer.condition.value is not None
        )
