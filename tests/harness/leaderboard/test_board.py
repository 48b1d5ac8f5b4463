from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.reports.runs import HOSTILE, write_run
from valuebench_harness import evaluate
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.leaderboard.board import Leaderboard, make_leaderboard, read_leaderboard, stale
from valuebench_harness.harness.leaderboard.verify import problems
from valuebench_harness.reports.leaderboard import LEADERBOARD_FORMATS, narrowed, render_leaderboard

VALUES = ("security", "power")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    for steerer in ("ica", "caa"):
        evaluate("mini", steerer, out=root / steerer, values=VALUES, limit=6)
    return [root / "ica", root / "caa"]


@pytest.fixture(scope="module")
def leaderboard(folders: list[Path]) -> Leaderboard:
    return make_leaderboard(folders)


@pytest.fixture
def copy(folders: list[Path], tmp_path: Path) -> Path:
    shutil.copytree(folders[1], tmp_path / "copy")
    return tmp_path / "copy"


def test_the_unsteered_model_stands_among_the_methods(leaderboard: Leaderboard) -> None:
    (board,) = leaderboard.boards
    assert {r.entry.method for r in board.rows} == {"ica", "caa", "base"}
    assert board.values == VALUES
    by_method = {r.entry.method: r.entry for r in board.rows}
    assert set(by_method["caa"].strengths) == set(VALUES)
    assert (by_method["caa"].chosen, by_method["base"].strengths) == ("shipped", {})
    assert by_method["base"].side_effects == 0
    assert (by_method["ica"].prompt_tokens or 0) > (by_method["base"].prompt_tokens or 0)


def test_a_run_of_several_strengths_is_ranked_by_the_one_its_row_shows(folders: list[Path], tmp_path: Path) -> None:
    evaluate("mini", "repe", out=tmp_path / "repe", values=VALUES, limit=24, strength=(0.5, 0.001))
    evaluate("mini", "caa", out=tmp_path / "caa", values=VALUES, limit=24, strength=(0.001, 0.5))
    (board,) = make_leaderboard([tmp_path / "repe", tmp_path / "caa"]).boards
    ranked = {r.entry.method: r for r in board.rows}
    assert ranked["repe"].entry.strengths == dict.fromkeys(VALUES, 0.5)
    assert ranked["repe"].rank == 1
    assert ranked["caa"].rank == ranked["base"].rank == 2


def test_a_stored_leaderboard_is_current_until_something_moves(leaderboard: Leaderboard, tmp_path: Path) -> None:
    path = tmp_path / "leaderboard.json"
    path.write_text(render_leaderboard(leaderboard, "json"), encoding="utf-8")
    stored = read_leaderboard(path)
    assert stale(stored, leaderboard, tolerance=0.0) == []

    data = json.loads(path.read_text(encoding="utf-8"))
    rows = data["boards"][0]["rows"]
    rows[0]["entry"]["csr"]["estimate"] -= 0.1
    rows[1]["entry"]["method"] = "other"
    rows[2]["entry"]["fit_seconds"] += 100
    data["boards"][0]["items"] = "0"
    found = " ".join(stale(Leaderboard.model_validate(data), leaderboard, tolerance=0.05))
    assert "csr is" in found
    assert "method 'other' is gone" in found
    assert "'items' is" in found
    assert "seconds" not in found


def test_every_format_names_every_method(leaderboard: Leaderboard) -> None:
    for name in LEADERBOARD_FORMATS:
        text = render_leaderboard(leaderboard, name)
        assert all(method in text for method in ("ica", "caa", "base")), name
    rows = list(csv.DictReader(io.StringIO(render_leaderboard(leaderboard, "csv"))))
    assert [r["rank"] for r in rows] == [str(r.rank) for r in leaderboard.boards[0].rows]
    with pytest.raises(UsageError, match="Did you mean 'html'"):
        render_leaderboard(leaderboard, "htm")


def test_a_filter_keeps_ranks(leaderboard: Leaderboard) -> None:
    (board,) = narrowed(leaderboard, "BASE").boards
    assert [r.entry.method for r in board.rows] == ["base"]
    assert board.rows[0].rank == next(r.rank for r in leaderboard.boards[0].rows if r.entry.method == "base")
    with pytest.raises(UsageError, match="leaves no model"):
        narrowed(leaderboard, "nothing")


def test_hostile_names_are_inert(leaderboard: Leaderboard) -> None:
    (board,) = leaderboard.boards
    for text in HOSTILE:
        rows = (board.rows[0].model_copy(update={"entry": board.rows[0].entry.model_copy(update={"method": text})}),)
        hostile = leaderboard.model_copy(update={"boards": (board.model_copy(update={"rows": rows}),)})
        page = render_leaderboard(hostile, "html")
        assert "<script>window" not in page
        assert "<img" not in page
        assert "\x1b" not in render_leaderboard(hostile, "text")
        (row,) = csv.DictReader(io.StringIO(render_leaderboard(hostile, "csv")))
        assert not row["method"].startswith("=")


def test_two_runs_of_one_method_are_refused(folders: list[Path], copy: Path) -> None:
    with pytest.raises(UsageError, match="Two runs are of 'caa'"):
        make_leaderboard([*folders, copy])


def test_a_run_whose_numbers_were_changed_does_not_count(folders: list[Path], copy: Path) -> None:
    assert problems(copy) == []
    path = copy / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    metrics["pooled"][0]["csr"]["after"]["hits"] += 1
    path.write_text(json.dumps(metrics), encoding="utf-8")
    assert "do not follow from its answers" in problems(copy)[0]
    made = make_leaderboard([folders[0], copy])
    assert [r.run for r in made.refused] == ["copy"]
    assert "Not counted: copy" in render_leaderboard(made, "md")


def test_other_questions_and_half_a_run_do_not_count(copy: Path, tmp_path: Path) -> None:
    text = (copy / "run.json").read_text(encoding="utf-8")
    info = json.loads(text)
    (copy / "run.json").write_text(json.dumps({**info, "data_hash": "0"}), encoding="utf-8")
    assert any("not those of this version's tasks" in p for p in problems(copy))
    (copy / "run.json").write_text(json.dumps({**info, "status": "generated"}), encoding="utf-8")
    assert problems(copy) == ["it is not complete (status 'generated')"]
    (copy / "run.json").write_text(text[:-100], encoding="utf-8")
    assert "run.json" in problems(copy)[0]
    assert "is no run" in problems(tmp_path / "nothing")[0]
    write_run(tmp_path / "made-up")
    assert problems(tmp_path / "made-up")
    with pytest.raises(UsageError, match="No run counts"):
        make_leaderboard([tmp_path / "made-up"])
