from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.causal.conftest import CHOSEN
from valuebench_harness.causal.effects import Effects, effects, role_changes, setting_changes
from valuebench_harness.causal.graph import from_pairs
from valuebench_harness.causal.graph_files import read_graph
from valuebench_harness.causal.table import OrientationTable, from_rows
from valuebench_harness.errors import UsageError


def published(kang: Path) -> dict[str, list[float | None]]:
    with (kang / "table2_gemma.csv").open(encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    return {name: [float(cell) if cell else None for cell in cells] for name, *cells in rows}


@pytest.mark.parametrize(("graph", "name"), [("gemma", "ours"), ("human1", "refs")])
@pytest.mark.parametrize("steering", ["prompt", "sae"])
def test_the_published_frequencies(
    kang: Path, test_table: OrientationTable, graph: str, name: str, steering: str
) -> None:
    changes = role_changes(test_table) if steering == "prompt" else setting_changes(test_table, CHOSEN, "Mary Holt")
    read = read_graph(f"{kang / 'published_graphs.json'}:{graph}", test_table.values)
    found = effects(changes, read, draws=20, permutations=20)
    for side in ("expected", "unexpected"):
        ours = [getattr(found.by_value[value], side) for value in test_table.values]
        theirs = published(kang)[f"mean_scorechange__{steering}_{name}_{side}"]
        assert [x is None for x in ours] == [x is None for x in theirs]
        assert [x for x in ours if x is not None] == pytest.approx([x for x in theirs if x is not None], abs=1e-9)
        assert getattr(found, side).estimate == pytest.approx(np.mean([x for x in theirs if x is not None]), abs=1e-9)


def test_what_the_paper_calls_steered_values(test_table: OrientationTable) -> None:
    """Its 14.6 and 4.3 are steerings a value; the values a steering changes are 10.3 and 7.3 of 17."""
    graph = from_pairs(test_table.values, [])
    for changes, published_as, values in (
        (role_changes(test_table), 14.6, 10.33),
        (setting_changes(test_table, CHOSEN, "Mary Holt"), 4.3, 7.30),
    ):
        found = effects(changes, graph, draws=20, permutations=20)
        assert np.mean([e.steerings for e in found.by_value.values()]) == pytest.approx(published_as, abs=0.05)
        assert found.changed_values.estimate == pytest.approx(values, abs=0.005)


def by_hand() -> OrientationTable:
    moved = {"": "", "1": "ab", "2": "abc", "3": "c", "4": ""}
    rows = {
        (setting, role): {value: 0.5 if value in moved[setting] else 0.0 for value in "abc"}
        for setting in moved
        for role in ("x", "y")
    }
    return from_rows(rows, "abc")


def test_the_formula_by_hand() -> None:
    graph = from_pairs("abc", [("a", "b")])
    found = effects(setting_changes(by_hand(), ["1", "2", "3", "4"]), graph, draws=50, permutations=50)
    a, b, c = (found.by_value[v] for v in "abc")
    assert (a.steerings, a.expected, a.unexpected) == (4, 1.0, 0.5)  # two settings on two roles
    assert (b.expected, b.unexpected) == (None, 0.75)  # no successors; a always moved along, c half the time
    assert c.moved == {"a": 0.5, "b": 0.5}
    assert found.expected.estimate == 1.0
    assert found.unexpected.estimate == pytest.approx((0.5 + 0.75 + 0.5) / 3)
    assert found.changed_values.estimate == pytest.approx(6 / 4)
    assert found.gap.low is not None


def test_missing_orientations_count_on_neither_side() -> None:
    table = by_hand()
    scores = table.scores.copy()
    scores[2, 1] = np.nan  # setting 1, role x, value b
    holed = OrientationTable(table.values, table.settings, table.roles, scores)
    found = effects(setting_changes(holed, ["1", "2"]), from_pairs("abc", [("a", "b")]), draws=50, permutations=50)
    assert found.by_value["a"].moved == {"b": 1.0, "c": 0.5}
    assert found.by_value["b"].steerings == 3


def test_no_gap_without_edges() -> None:
    found = effects(setting_changes(by_hand(), ["1"]), from_pairs("abc", []), draws=50, permutations=50)
    assert found.expected.estimate is None
    assert found.permutation_p is None
    assert found.unexpected.estimate == 0.5


def cascade(rng: np.random.Generator, follows: float) -> OrientationTable:
    """Settings that change value 2k often make value 2k + 1 change too."""
    rows: dict[tuple[str, str], dict[str, float]] = {("", "x"): {f"v{k}": 0.0 for k in range(10)}}
    for setting in range(60):
        first = rng.random(5) < 0.5
        second = (first & (rng.random(5) < follows)) | (rng.random(5) < 0.2)
        changed = np.column_stack([first, second]).ravel()
        rows[str(setting), "x"] = {f"v{k}": float(c) for k, c in enumerate(changed)}
    return from_rows(rows, [f"v{k}" for k in range(10)])


def test_the_permutation_tells_a_graph_that_foretells_from_one_that_does_not() -> None:
    right = from_pairs([f"v{k}" for k in range(10)], [(f"v{2 * k}", f"v{2 * k + 1}") for k in range(5)])
    settings = [str(s) for s in range(60)]

    def scored(follows: float, seed: int) -> Effects:
        table = cascade(np.random.default_rng(seed), follows)
        return effects(setting_changes(table, settings), right, seed, draws=200, permutations=500)

    told = scored(0.9, 0)
    assert told.permutation_p is not None
    assert told.permutation_p < 0.01
    assert told.gap.low is not None
    assert told.gap.low > 0
    rejected = [(scored(0.0, seed).permutation_p or 1) < 0.05 for seed in range(60)]
    assert np.mean(rejected) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)


def test_bad_input_is_named(test_table: OrientationTable) -> None:
    with pytest.raises(UsageError, match=r"Unknown role 'Mary Hold'. Did you mean"):
        setting_changes(test_table, CHOSEN, "Mary Hold")
    with pytest.raises(UsageError, match="Unknown role 'Nobody'"):
        role_changes(test_table, "Nobody")
    with pytest.raises(UsageError, match="Unknown setting '9'"):
        setting_changes(test_table, ["9"])
    with pytest.raises(UsageError, match="1 named roles"):
        role_changes(from_rows({("", ""): {"a": 0.0}, ("", "x"): {"a": 0.0}}, "a"))
