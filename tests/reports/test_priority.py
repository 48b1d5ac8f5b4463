"""The priority report: what it says, in every format, whatever the names hold."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.reports.runs import HOSTILE
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.priority_results import Cell, Guidance, Outcomes, Priority, pull
from valuebench_harness.reports.legends import ON_FEWER
from valuebench_harness.reports.priority import PRIORITY_FORMATS, render_priority, verdict
from valuebench_harness.reports.priority_plot import make_plot

SVG = "{http://www.w3.org/2000/svg}"


def outcomes(hits: int, n: int) -> Outcomes:
    return Outcomes({str(i): [i < hits] for i in range(n)}, {str(i): [True] for i in range(n)})


def priority(name: str = "security", *, contest: int = 36, guidances: tuple[Guidance, ...] = ("negative",)) -> Priority:
    cells = {
        Cell("none", steered=False): outcomes(20, 40),
        Cell("none", steered=True): outcomes(40, 40),
        Cell("negative", steered=False): outcomes(0, 40),
        Cell("negative", steered=True): outcomes(contest, 40),
        Cell("positive", steered=False): outcomes(40, 40),
        Cell("positive", steered=True): outcomes(40, 40),
    }
    found = pull(cells, guidances, "negative", margin=0.05)
    return Priority(
        model="mini",
        revision="abc",
        steerer=name,
        guide="ica",
        direction="positive",
        strengths={"security": 2.0, "power": 4.0},
        gate="probe",
        judge="grammar/1",
        seed=0,
        margin=0.05,
        pooled=found,
        values={name: found, "power": found},
        verdicts=160,
        unscored=0,
        runs={"none+steering": name, "negative": "ica-negative"},
    )


def test_the_verdict_says_who_wins_and_what_is_not_known() -> None:
    assert "steering decides 90%" in verdict(priority())
    assert "steering has priority" in verdict(priority())
    assert "5 points or more is not ruled out" in verdict(priority())
    assert "the prompt has priority" in verdict(priority(contest=2))
    assert "5 points or more is shown" in verdict(priority(contest=2))
    assert "neither is shown" in verdict(priority(contest=20))
    assert "nothing is said of which wins" in verdict(priority(guidances=("positive",)))


@pytest.mark.parametrize("output", [f for f in PRIORITY_FORMATS if f not in {"svg", "json"}])
def test_tables_hold_every_arm_with_its_interval(output: str) -> None:
    text = render_priority(priority(guidances=("positive", "negative")), output)
    for part in ("nothing", "for the value", "against it", "50 → 100", "0 → 90", "77..96", "security", "power"):
        assert part in text, part


def test_json_reads_back_whole() -> None:
    made = priority()
    text = render_priority(made, "json")
    assert Priority.model_validate_json(text) == made
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_the_plot_stands_where_the_numbers_say() -> None:
    made = priority()
    plot = make_plot(made)
    (left, _), *_, (right, _) = plot.ticks
    assert [row.name for row in plot.rows] == ["security", "power", "all"]
    none, negative = plot.rows[0].marks
    assert none.unsteered == pytest.approx((left + right) / 2)
    assert none.steered == pytest.approx(right)
    assert negative.unsteered == pytest.approx(left)
    assert negative.steered == pytest.approx(left + 0.9 * (right - left))
    root = ElementTree.fromstring(render_priority(made, "svg"))
    assert len(root.findall(f".//{SVG}g")) == 3 * 2
    assert max(m.y for row in plot.rows for m in row.marks) < plot.height


def test_an_arm_without_a_scored_answer_is_left_blank() -> None:
    nothing = Outcomes({"0": [None]}, {"0": [None]})
    cells = {Cell(g, steered=s): nothing for g in ("none", "negative") for s in (False, True)}
    found = pull(cells, ("negative",), "negative", margin=0.05)
    made = priority().model_copy(update={"pooled": found, "values": {"security": found}, "unscored": 8})
    for output in PRIORITY_FORMATS:
        assert "nan" not in render_priority(made, output)
    assert "8 of 160 verdicts are unscored" in render_priority(made, "text")
    assert "No item is scored" in verdict(made)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_inert(text: str) -> None:
    made = priority(text)
    page = render_priority(made, "html")
    assert "<script>window" not in page
    assert "<img" not in page
    assert "\x1b" not in page + render_priority(made, "text") + render_priority(made, "md")
    ElementTree.fromstring(render_priority(made, "svg"))


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(UsageError, match="Did you mean 'html'"):
        render_priority(priority(), "htm")


def test_a_difference_of_fewer_items_than_its_rates_says_of_how_many() -> None:
    """Against the prompt 25% of 4 answers, without it all of 40; on the four they share the difference is -75."""
    cells = {
        Cell("none", steered=False): outcomes(20, 40),
        Cell("none", steered=True): outcomes(40, 40),
        Cell("negative", steered=False): outcomes(0, 40),
        Cell("negative", steered=True): Outcomes(
            {str(i): [i == 0 if i < 4 else None] for i in range(40)}, outcomes(40, 40).fluent
        ),
    }
    made = priority().model_copy(update={"pooled": pull(cells, ("negative",), "negative", margin=0.05)})
    assert "The difference is -75 points on the 4 items scored on both sides, 95% interval" in verdict(made)
    for output in ("text", "md", "html"):
        assert ON_FEWER in " ".join(render_priority(made, output).split()), output
        assert ON_FEWER not in " ".join(render_priority(priority(), output).split()), output


def test_one_answer_in_conflict_is_told_in_the_singular() -> None:
    cells = {
        Cell("none", steered=False): outcomes(0, 1),
        Cell("none", steered=True): outcomes(1, 1),
        Cell("negative", steered=False): outcomes(0, 1),
        Cell("negative", steered=True): outcomes(1, 1),
    }
    made = priority().model_copy(update={"pooled": pull(cells, ("negative",), "negative", margin=0.05)})
    assert "Of 1 answer to items that" in verdict(made)
