from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.compare.observed import observed, shares
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.compare.baselines import Baseline, load_baseline, render

outcomes = st.dictionaries(
    st.sampled_from(["csr", "fr", "exam", "side_effects"]),
    st.dictionaries(
        st.text(max_size=12).map(lambda s: f"+power|{s}"),
        st.lists(st.none() | st.floats(-1, 1), max_size=3),
        max_size=5,
    ),
)


@given(outcomes)
def test_a_baseline_reads_back_as_it_was_saved(tmp_path_factory: pytest.TempPathFactory, found: object) -> None:
    saved = observed(found)  # type: ignore[arg-type]
    path = tmp_path_factory.mktemp("b") / "x.json"
    path.write_text(render(saved), encoding="utf-8")
    assert load_baseline(path) == saved


def test_a_flip_changes_one_line_of_outcomes(tmp_path: Path) -> None:
    before = render(observed(shares(50, 100))).splitlines()
    after = render(observed(shares(49, 100))).splitlines()
    changed = [a for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 3
    assert '"+power|049": [1],' in changed[1]


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    baseline = Baseline(tmp_path, "main")
    path = baseline.save("run", observed(shares(5, 10)), overwrite=False)
    with pytest.raises(UsageError, match="nothing was overwritten"):
        baseline.save("run", observed(shares(6, 10)), overwrite=False)
    assert load_baseline(path) == observed(shares(5, 10))
    baseline.save("run", observed(shares(6, 10)), overwrite=True)
    assert load_baseline(path) == observed(shares(6, 10))


def test_of_sessions_that_save_at_once_one_wins_and_the_file_is_whole(tmp_path: Path) -> None:
    def save(hits: int) -> bool:
        try:
            Baseline(tmp_path, "main").save("run", observed(shares(hits, 50)), overwrite=False)
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [hits for hits, ok in enumerate(pool.map(save, range(20))) if ok]
    assert len(won) == 1
    assert Baseline(tmp_path, "main").load("run") == observed(shares(won[0], 50))


@pytest.mark.parametrize(
    ("old", "new", "line_of"),
    [
        ('"csr": 0.5', '"csr": 0.9', '"csr": 0.9'),
        ('"+power|004": [1]', '"+power|004": [0]', '"csr": 0.5'),
        ('"revision": "aaa"', '"revision": "bbb"', '"digest"'),
    ],
)
def test_an_edit_by_hand_is_found(tmp_path: Path, old: str, new: str, line_of: str) -> None:
    path = tmp_path / "run.json"
    text = render(observed(shares(5, 10)))
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError, match="edited by hand") as error:
        load_baseline(path)
    line = int(str(error.value).split(":")[1])
    assert line_of in path.read_text(encoding="utf-8").splitlines()[line - 1]


def test_other_schemas_and_damaged_files_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    record = json.loads(render(observed(shares(5, 10))))
    for text, message in (
        (json.dumps({**record, "schema_version": 0}, indent=1), r"run.json:2: schema version 0"),
        ("{\n1", r"run.json:2: no valid JSON"),
        ("[]", r"run.json:1: no baseline"),
        (json.dumps({**record, "outcomes": {"csr": 3}}, indent=1), "'outcomes.csr' is malformed"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=message):
            load_baseline(path)
    with pytest.raises(UsageError, match="There is no baseline"):
        load_baseline(tmp_path / "other.json")


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plain name"):
        Baseline(tmp_path, "../x")
