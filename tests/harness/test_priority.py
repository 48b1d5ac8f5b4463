"""A prompt against a steering method: the crossed design, its numbers, and what would make them incomparable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.priority import PriorityPlan, parse_guidance, plan_priority, run_priority
from valuebench_harness.harness.priority_results import Cell, Guidance, Outcomes, Priority, conflicts, pull
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.run import load_run

VALUES = ("security", "power")
QUIET = Reporter(quiet=True)


def planned(steerer: str = "conva", **keys: Any) -> PriorityPlan:
    return plan_priority(make_config(**{"steerer": steerer, "values": VALUES, "limit": 6, **keys}))


def cell(bits: str, fluent: str | None = None) -> Outcomes:
    """``10?`` is a hit, a miss and an unscored answer, each to an item of its own."""
    read = {"1": True, "0": False, "?": None}
    return Outcomes(
        {str(n): [read[b]] for n, b in enumerate(bits)},
        {str(n): [read[b]] for n, b in enumerate(fluent or "1" * len(bits))},
    )


def crossed(none: tuple[str, str], negative: tuple[str, str], fluent: str | None = None) -> dict[Cell, Outcomes]:
    return {
        Cell("none", steered=False): cell(none[0]),
        Cell("none", steered=True): cell(none[1]),
        Cell("negative", steered=False): cell(negative[0]),
        Cell("negative", steered=True): cell(negative[1], fluent),
    }


class TestNumbers:
    def test_only_items_that_the_two_alone_send_apart_are_conflicts(self) -> None:
        #                         unsteered, steered      guided alone, both
        found = conflicts(crossed(("00000?", "1110?1"), ("00100?", "101111")), "negative")
        assert (found.n, found.hits) == (2, 1), "item 0 is won, item 1 lost; no other is put on different sides"
        lost = conflicts(crossed(("00", "11"), ("00", "?0")), "negative")
        assert (lost.n, lost.hits, lost.unscored) == (1, 0, 1), "an unscored contest is no victory of either"

    def test_several_answers_to_an_item_are_compared_repeat_by_repeat(self) -> None:
        def several(*answers: bool) -> Outcomes:
            return Outcomes({"a": list(answers)}, {"a": [True] * len(answers)})

        cells = {
            Cell("none", steered=True): several(True, False, True),
            Cell("negative", steered=False): several(False, False, True),
            Cell("negative", steered=True): several(True, True, False),
        }
        found = conflicts(cells, "negative")
        assert (found.n, found.hits, found.clusters) == (1, 1, 1)

    def test_effects_and_differences_are_paired(self) -> None:
        none, negative = pull(
            crossed(("0011", "1111"), ("0000", "1?10"), "1110"), ("negative",), "negative", margin=0.2
        ).arms
        assert none.effect.estimate == pytest.approx(0.5)
        assert none.from_none is None
        assert negative.effect.n == 3, "the unscored answer is left out of the pair, not counted"
        assert negative.effect.estimate == pytest.approx(2 / 3)
        assert negative.from_none is not None
        assert negative.from_none.estimate == pytest.approx(-1 / 3)
        assert (negative.success.hits, negative.success.n) == (2, 4), "unscored and broken answers are no success"

    @pytest.mark.parametrize(
        ("steered", "winner"), [("1" * 30, "steering"), ("0" * 30, "prompt"), ("10" * 15, "not shown")]
    )
    def test_the_winner_needs_an_interval_on_its_side(self, steered: str, winner: str) -> None:
        found = pull(crossed(("0" * 30, "1" * 30), ("0" * 30, steered)), ("negative",), "negative", margin=0.05)
        assert found.winner == winner

    def test_without_conflicts_or_opposition_nobody_wins(self) -> None:
        cells = crossed(("00", "11"), ("11", "11"))
        found = pull(cells, ("negative",), "negative", margin=0.05)
        assert found.conflicts is not None
        assert (found.winner, found.conflicts.estimate) == ("no conflict", None)
        assert pull(cells, ("negative",), "positive", margin=0.05).winner is None

    def test_no_loss_is_shown_only_where_the_interval_keeps_clear_of_the_margin(self) -> None:
        same = "1" * 400
        many = pull(crossed((same, same), (same, same)), ("negative",), "negative", margin=0.05).arm("negative")
        few = pull(crossed(("11", "11"), ("11", "11")), ("negative",), "negative", margin=0.05).arm("negative")
        assert many is not None
        assert few is not None
        assert many.not_worse is not None
        assert few.not_worse is not None
        assert (many.not_worse.shown, few.not_worse.shown) == (True, False)


class TestPlan:
    def test_cells_are_runs_of_the_two_methods_and_of_both(self) -> None:
        plan = planned()
        assert [p.config.steerer for p in plan.plans.values()] == [
            "conva",
            "ica-positive",
            "ica-positive+conva",
            "ica-negative",
            "ica-negative+conva",
        ]
        documents = {tuple(d.id for d in p.documents) for p in plan.plans.values()}
        assert len(documents) == 1, "all cells ask the same items"
        for p in plan.plans.values():
            for condition, document in p.cells:
                assert condition.id == "base" or document.value == condition.value
        alone, both = plan.plans[Cell("none", steered=True)], plan.plans[Cell("negative", steered=True)]
        strengths = [[(c.value, c.strength) for c in p.conditions] for p in (alone, both)]
        assert strengths[0] == strengths[1], "steering is as strong behind a prompt as without one"

    def test_settings_go_to_the_method_they_name(self) -> None:
        settings = {"ica.negative": "Act against {name}.", "per": "prompt"}
        plan = planned(settings=settings)
        found = {p.config.steerer: p.config.settings for p in plan.plans.values()}
        assert found["conva"] == {"per": "prompt"}
        assert found["ica-negative"] == {"ica.negative": "Act against {name}."}
        assert found["ica-negative+conva"] == settings

    def test_a_pinned_direction_is_that_of_the_whole(self) -> None:
        plan = planned("conva-negative")
        assert (plan.steerer, plan.direction) == ("conva", "negative")
        assert {p.direction for c, p in plan.plans.items() if c.steered} == {"negative"}

    def test_the_folder_depends_on_what_is_asked(self) -> None:
        assert planned().default_folder == planned().default_folder
        assert planned().default_folder != planned(strength=2).default_folder
        assert planned().default_folder.name.startswith("mini-priority-conva-")

    def test_guidance_is_read_in_any_order_and_none_is_implied(self) -> None:
        assert parse_guidance("none, Negative,positive") == ("positive", "negative")
        assert parse_guidance("negative") == ("negative",)
        with pytest.raises(UsageError, match="Did you mean 'negative'"):
            parse_guidance("negativ")
        with pytest.raises(UsageError, match="'none' alone is 'vharness eval'"):
            parse_guidance("none")

    @pytest.mark.parametrize(
        ("keys", "message"),
        [
            ({"steerer": "base"}, "Name a method to steer by"),
            ({"tune": True}, "the same strength"),
            ({"strength": (1.0, 2.0)}, "Give one --strength"),
            ({"strength": (0.0,)}, "--strength 0: neither"),
            ({"values": ("security:1+power:1",)}, "one value at a time"),
            ({"steerer": "caa", "gate": "probe"}, "keep the guidance out"),
            ({"steerer": "ica"}, "comes twice"),
            ({"steerer": "instruction"}, "both rewrite"),
            ({"tasks": ("mini_exam",)}, "no dilemmas of 'power'"),
        ],
    )
    def test_what_cannot_be_compared_is_refused(self, keys: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            planned(**keys)

    @pytest.mark.parametrize("guide", ["caa", "ica+role", "ica-negative", "base"])
    def test_the_guide_is_one_prompt_method(self, guide: str) -> None:
        with pytest.raises(UsageError, match="guide"):
            plan_priority(make_config(steerer="conva", values=VALUES), guide=guide)

    @pytest.mark.parametrize("margin", [0.0, 1.0, -0.1])
    def test_the_margin_is_a_share(self, margin: float) -> None:
        with pytest.raises(UsageError, match="--margin"):
            plan_priority(make_config(steerer="conva", values=VALUES), margin=margin)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Priority, Path]:
    folder = tmp_path_factory.mktemp("priority")
    return run_priority(planned("caa"), folder, QUIET), folder


class TestRuns:
    def test_rates_are_those_of_the_runs(self, made: tuple[Priority, Path]) -> None:
        priority, folder = made
        for guidance in ("none", "positive"):
            arm = priority.pooled.arm(guidance)
            assert arm is not None
            key = "none+steering" if guidance == "none" else f"{guidance}+steering"
            (pooled,) = load_run(folder / priority.runs[key]).results.pooled
            assert pooled.csr is not None
            assert arm.steered == pooled.csr.after
        guided = load_run(folder / priority.runs["negative"])
        arm = priority.pooled.arm("negative")
        (pooled,) = guided.results.pooled
        assert arm is not None
        assert pooled.csr is not None
        assert pooled.condition.direction == "negative"
        after = pooled.csr.after
        assert arm.unsteered.hits == after.n - after.hits, "guidance alone is counted by the side that steering aims at"

    def test_the_same_call_finds_the_finished_runs(self, made: tuple[Priority, Path]) -> None:
        priority, folder = made
        before = {p: p.stat().st_mtime_ns for p in folder.glob("*/samples*")}
        assert run_priority(planned("caa"), folder, QUIET) == priority
        assert {p: p.stat().st_mtime_ns for p in folder.glob("*/samples*")} == before

    def test_another_configuration_is_not_written_over(self, made: tuple[Priority, Path]) -> None:
        with pytest.raises(UsageError, match="another configuration"):
            run_priority(planned("caa", seed=1), made[1], QUIET)

    def test_a_prompt_moves_the_model_that_understands_it(self, made: tuple[Priority, Path]) -> None:
        by: dict[Guidance, float | None] = {a.guidance: a.unsteered.estimate for a in made[0].pooled.arms}
        assert by["negative"] is not None
        assert by["positive"] is not None
        assert by["positive"] > by["negative"] + 0.3

    def test_away_from_the_value_the_sides_are_turned(self, made: tuple[Priority, Path], tmp_path: Path) -> None:
        turned = run_priority(planned("caa", direction="negative"), tmp_path, QUIET)
        assert turned.opposed == "positive"
        for guidance in ("none", "positive", "negative"):
            a, b = (p.pooled.arm(guidance) for p in (made[0], turned))
            assert a is not None
            assert b is not None
            assert b.unsteered.hits == a.unsteered.n - a.unsteered.hits
