"""Strengths chosen on one half of the dilemmas and reported on the other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkpoints import build_checkpoint
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.evaluate import evaluate
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.halves import make_halves
from valuebench_harness.harness.plan import make_plan
from valuebench_harness.harness.records import BASE
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.settling import Settled, Trial
from valuebench_harness.harness.tune import MULTIPLES, best_trial, grid, tuning_plan
from valuebench_harness.metrics.rates import rate
from valuebench_harness.steerers.registry import make_steerer


def trial(strength: float, hits: int, n: int = 40, layers: tuple[int, ...] | None = None) -> Trial:
    found = rate([i < hits for i in range(n)], [str(i) for i in range(n)])
    return Trial(strength=strength, layers=layers, success=found, csr=found, fr=found)


# The rule


@pytest.mark.parametrize(
    ("hits", "chosen"),
    [
        ((10, 20, 30, 40), 4.0),
        ((10, 36, 38, 36), 3.0),  # 38 of 40: one standard error is 1.4 answers, so 36 is too few
        ((10, 37, 38, 36), 2.0),
        ((40, 40, 40, 40), 1.0),  # saturated: the smallest
        ((0, 0, 0, 0), 1.0),
        ((10, 30, 20, 0), 2.0),  # too strong breaks the text
    ],
)
def test_the_smallest_strength_within_one_standard_error_is_taken(hits: tuple[int, ...], chosen: float) -> None:
    taken, rule = best_trial([trial(float(s), h) for s, h in enumerate(hits, 1)])
    assert taken.strength == chosen
    assert "one standard error" in rule


def test_the_order_of_trials_does_not_matter() -> None:
    trials = [trial(float(s), h) for s, h in enumerate((10, 37, 38, 36), 1)]
    assert best_trial(trials[::-1])[0] == best_trial(trials)[0]


def test_other_layers_must_beat_the_methods_own_by_more_than_a_standard_error() -> None:
    own = [trial(1.0, 20), trial(2.0, 34)]
    assert best_trial([*own, trial(1.0, 35, layers=(3,))])[0].layers is None
    taken, _ = best_trial([*own, trial(1.0, 39, layers=(3,)), trial(2.0, 39, layers=(3,)), trial(1.0, 30, layers=(1,))])
    assert (taken.layers, taken.strength) == ((3,), 1.0)


def test_a_target_takes_the_least_strength_that_reaches_it() -> None:
    trials = [trial(1.0, 20), trial(2.0, 33), trial(3.0, 40)]
    taken, rule = best_trial(trials, 0.8)
    assert (taken.strength, rule) == (2.0, "least strength with success 0.8")
    missed, rule = best_trial(trials[:2], 0.9)
    assert missed.strength == 2.0
    assert rule.startswith("success 0.9 was not reached")


# The grid


def test_the_grid_is_the_methods_the_users_or_multiples_of_the_default() -> None:
    conva, caa, repe = make_steerer("conva"), make_steerer("caa"), make_steerer("repe")
    assert grid(conva, None, None, 32) == [(float(x), None) for x in range(1, 16)], "ConVA's search, Appendix I"
    places = [None, *((round(d * 32),) for d in caa.tuning_depths)]
    assert len(places) > 2
    assert grid(caa, (2.0, 1.0), None, 32) == [(s, p) for p in places for s in (1.0, 2.0)]
    assert grid(caa, (1.0, 0.0), (7,), 32) == [(1.0, None)], "the user's layers are kept, strength 0 is no trial"
    assert {s for s, _ in grid(repe, None, (1,), 32)} == {m * repe.default_strength for m in MULTIPLES}
    assert grid(caa, (1.0,), None, 1) == [(1.0, None), (1.0, (0,))], "places that fall together are tried once"


# The halves


def test_no_item_is_both_tuned_on_and_reported() -> None:
    for model, tasks in (("folder", ["schwartz", "schwartz_questionnaire"]), ("mini", ["mini", "mini_exam"])):
        halves = make_halves(tasks, family_of(make_config(model=model)), limit=None)
        tuned, reported = {d.id for d in halves.tuned}, {d.id for d in halves.reported}
        assert not tuned & reported
        assert {d.kind for d in halves.tuned} == {"dilemma"}
        assert len({d.kind for d in halves.reported}) == 2


def test_natural_dilemmas_are_halved_by_their_ids_alone() -> None:
    family = family_of(make_config(model="folder"))
    halves = make_halves(["schwartz"], family, limit=None)
    tuned = Counter(d.value for d in halves.tuned)
    reported = Counter(d.value for d in halves.reported)
    assert set(tuned.values()) == set(reported.values()) == {50}
    assert halves.notes
    again = make_halves(["schwartz_power"], family, limit=None)
    assert {d.id for d in again.tuned} == {d.id for d in halves.tuned if d.value == "power"}
    few = make_halves(["schwartz_power"], family, limit=7)
    assert (len(few.tuned), len(few.reported)) == (7, 7)


def test_a_shipped_selection_half_is_used_as_it_is() -> None:
    family = family_of(make_config(model="mini"))
    halves = make_halves(["mini_power"], family, limit=None)
    assert [d.id for d in halves.tuned] == [d.id for d in family.data.dilemmas("power", "select")]
    assert [d.id for d in halves.reported] == [d.id for d in family.data.dilemmas("power", "test")]
    assert not halves.notes


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"steerer": "ica", "tune": True}, "'ica' has no strength to choose"),
        ({"steerer": "base", "tune": True}, "'base' has no strength to choose"),
        ({"steerer": "ica-negative+role", "tune": True}, "has no strength to choose"),
        ({"tune": True, "split": "select"}, "leave --split out"),
        ({"tune": True, "match_kl": 1.0}, "give one of them"),
        ({"tune_target": 0.8}, "add --tune"),
        ({"match_kl": 1.0, "strength": 2}, "leave --strength out"),
        ({"steerer": "ica", "match_kl": 1.0}, "'ica' has no strength to choose"),
        ({"tune": True, "tasks": "schwartz_questionnaire"}, "the tasks have none"),
        ({"tune": True, "tasks": "schwartz_power", "limit": 1, "values": "security"}, "no dilemmas of 'security'"),
    ],
)
def test_what_cannot_be_tuned_is_an_error_before_a_model_is_loaded(config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_plan(make_config(**{"model": "folder", "steerer": "caa", **config}))


def test_the_tuning_plan_asks_each_value_its_own_dilemmas_only() -> None:
    plan = make_plan(make_config(model="mini", steerer="conva", values="power,security", limit=3, tune=True))
    trials = tuning_plan(plan, n_layers=4)
    assert len(trials.conditions) == 1 + 2 * 15
    assert not {d.id for d in trials.documents} & {d.id for d in plan.documents}
    asked = Counter(c.id for c, _ in trials.cells)
    assert asked.pop(BASE.id) == 6
    assert set(asked.values()) == {3}
    assert all(d.value in c.targets for c, d in trials.cells if c.id != BASE.id)


# Runs


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("tuned") / "run"
    return evaluate("mini", "caa", values=("security", "power"), strength=(0.2, 1.0), limit=6, tune=True, out=folder)


def test_a_tuned_run_reports_test_items_at_the_chosen_strengths(tuned: Run) -> None:
    settled = Settled.model_validate_json((tuned.folder / "settled.json").read_text(encoding="utf-8"))
    assert tuned.results.tuned == settled.tuned
    reported = set(tuned.documents)
    for choice in tuned.results.tuned:
        assert len(choice.items) == 6
        assert not set(choice.items) & reported
        places = {t.layers for t in choice.grid}
        assert None in places
        assert {t.strength for t in choice.grid} == {0.2, 1.0}
        assert len(choice.grid) == 2 * len(places)
        assert all(t.success.n == 6 and t.success.low is not None for t in choice.grid)
        (condition,) = (c for c in tuned.conditions.values() if c.value == choice.value and not c.is_twin)
        assert (condition.strength, condition.layers) == (choice.strength, choice.layers)
        best = max(t.success.hits for t in choice.grid)
        taken = next(t for t in choice.grid if (t.strength, t.layers) == (choice.strength, choice.layers))
        assert taken.success.hits >= best - 2, "one standard error of 6 answers is at most 1.3 of them, twice over"
    trials = Run(tuned.folder / "tuning")
    assert trials.info.status == "complete"
    assert not set(trials.documents) & reported


def test_a_tuned_run_is_shown_again_without_the_model(tuned: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_model(*_: object) -> None:
        raise AssertionError("nothing is left to ask")

    monkeypatch.setattr("valuebench_harness.harness.session.load_model", no_model)
    config = tuned.info.config
    again = evaluate(config=config, out=tuned.folder)
    assert again.results.tuned == tuned.results.tuned
    (tuned.folder / "settled.json").write_text("{", encoding="utf-8")
    monkeypatch.undo()
    chosen_anew = evaluate(config=config, out=tuned.folder)
    assert chosen_anew.results.tuned == tuned.results.tuned
    with pytest.raises(UsageError, match="its 'limit' is 6, not 5"):
        evaluate(config=config.model_copy(update={"limit": 5}), out=tuned.folder)


def test_a_folder_of_an_untuned_run_is_not_tuned_into(tmp_path: Path) -> None:
    checkpoint = build_checkpoint(tmp_path / "tiny", "llama", layers=3, width=16, length=640)
    settings: dict[str, Any] = {
        "model": str(checkpoint),
        "steerer": "caa",
        "values": ("power",),
        "tasks": ("schwartz_power",),
        "limit": 2,
        "max_new_tokens": 2,
        "max_unscored": 1.0,
    }
    evaluate(out=tmp_path / "run", **settings)
    with pytest.raises(UsageError, match="its 'tune' is False, not True"):
        evaluate(out=tmp_path / "run", **settings, tune=True)
    assert not (tmp_path / "run" / "tuning").exists()
