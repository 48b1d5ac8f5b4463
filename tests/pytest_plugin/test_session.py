"""Real pytest sessions on the built-in model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.pytest_plugin.conftest import CASE, write
from valuebench_harness.harness.compare.baselines import load_baseline, render
from valuebench_harness.harness.compare.observations import Observations

pytestmark = pytest.mark.usefixtures("imported")

PYTHON = """
import pytest

@pytest.mark.vharness(model="mini", steerer="caa", value="security", limit=16)
def test_holds(vharness_run):
    assert vharness_run.csr["security"] > 0.5

@pytest.mark.vharness(model="mini", steerer="caa", value="security", limit=16)
def test_fails(vharness_run):
    assert vharness_run.csr["security"] < 0.1

@pytest.mark.vharness(model="mini", steerer="cca", value="security")
def test_unknown(vharness_run):
    pass

def test_unmarked(vharness_run):
    pass

def test_factory(vharness):
    assert vharness(model="mini", steerer="caa", values=["security"], limit=16).fr["all"] > 0.5
"""

STEERED = """\
model: mini
steerer: caa
values: [security]
limit: 16
expect:
  csr: {min: 0.6, max: 1}
  fr: {min: 0.5, each: true}
  mmlu: {min: 0.0}
  side_effects: {max: 1, except: [conformity]}
  versus: base
"""


def _changed(path: Path, change: Callable[[Observations], Observations]) -> None:
    path.write_text(render(change(load_baseline(path))), encoding="utf-8")


def _as_if_better(found: Observations) -> Observations:
    """A past in which 60 more exam items were asked than there are, and all were right."""
    exam = {item: [1.0] for item in found.outcomes["exam"]}
    return found.model_copy(update={"outcomes": {**found.outcomes, "exam": exam}})


def _tests_of(page: Path) -> dict[str, dict[str, Any]]:
    """The tests of a session's page, by name, with what its script shows of each."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found is not None
    return {str(test["name"]).rpartition(" (")[0]: test for test in json.loads(found[1])["tests"]}


def test_python_and_yaml_share_one_run(project: pytest.Pytester, run_folders: Callable[[], list[Path]]) -> None:
    write(project, "test_security", STEERED)
    project.makepyfile(test_py=PYTHON)
    result = project.runpytest_inprocess("-p", "no:cacheprovider", "--junit-xml=out.xml", "--vharness-html=page.html")
    result.assert_outcomes(passed=7, failed=1, errors=2)
    result.stdout.re_match_lines_random(
        [
            r"E .*csr\['security'\] = .* \[.*\], n 16, 0 unscored, expected < 0.1",
            r"Unknown steerer 'cca'\. .*",
            r".*test_unmarked uses vharness_run without @pytest.mark.vharness",
            r"passed: test_security: csr\['all'\] >= 0.6 and <= 1",
            r"better: test_security: on side \+ fluent against base",
        ]
    )
    assert len(run_folders()) == 1
    properties = ElementTree.parse(project.path / "out.xml").getroot().iter("property")
    facts = [json.loads(str(p.get("value"))) for p in properties if p.get("name") == "vharness"]
    assert any(f.get("verdict") == "passed" for f in facts)
    assert "csr[&#39;all&#39;] &gt;= 0.6" in (project.path / "page.html").read_text(encoding="utf-8")
    tests = _tests_of(project.path / "page.html")
    assert len(tests["test_security: csr['all'] >= 0.6 and <= 1"]["samples"]) == 16
    assert len(tests["test_py.py::test_fails"]["samples"]) > 0


def test_an_unmet_expectation_names_its_line_and_shows_answers(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "test_security", CASE.replace("csr: {min: 0.6}", "csr: {max: 0.0}\n  exam: {drop_max: 0.0}"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    result = project.runpytest_inprocess()
    result.stdout.re_match_lines([r"test_security.vharness.yaml:6: expected csr\['all'\] <= 0", r"csr\['all'\] = "])
    assert "Traceback" not in result.stdout.str()
    assert "| failed" in (project.path / "summary.md").read_text(encoding="utf-8").replace("**\\[failed\\]**", "failed")


def test_collecting_loads_no_model(project: pytest.Pytester) -> None:
    project.makepyfile(test_py=PYTHON)
    project.makeconftest(
        "import sys\ndef pytest_sessionfinish():\n    assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    result = project.runpytest_subprocess("--collect-only", "-q", "--vharness-compare=main")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*test_security.vharness.yaml::csr", "*::vharness-mini_caa_security_*-exam"])


def test_a_broken_file_is_an_error_and_never_passes(project: pytest.Pytester) -> None:
    write(project, "test_broken", CASE.replace("steerer", "steerr"))
    result = project.runpytest_inprocess("-k", "broken")
    assert result.ret != 0
    result.stdout.re_match_lines([r"E? ?.*test_broken.vharness.yaml:2: Unknown key 'steerr'"])
    assert "Traceback" not in result.stdout.str()


def test_a_baseline_is_saved_once_compared_and_updated(
    project: pytest.Pytester, run_folders: Callable[[], list[Path]]
) -> None:
    assert project.runpytest_inprocess("--vharness-save=main").ret == 0
    (path,) = (project.path / "vharness-baselines" / "main").glob("*.json")
    saved = path.read_text(encoding="utf-8")

    same = project.runpytest_inprocess("--vharness-compare=main")
    same.assert_outcomes(passed=6)
    assert path.read_text(encoding="utf-8") == saved

    _changed(path, _as_if_better)
    worse = project.runpytest_inprocess("--vharness-compare=main", "--vharness-html=page.html")
    worse.assert_outcomes(passed=5, failed=1)
    (gate,) = (t for name, t in _tests_of(project.path / "page.html").items() if name.endswith("-exam"))
    assert f", {len(gate['samples'])} fell, 0 rose" in gate["words"]
    assert "The baseline keeps outcomes, not answers" in gate["words"]
    worse.stdout.re_match_lines([r"regression: exam against baseline 'main'", r"1.000 to .* fell, 0 rose"])

    again = project.runpytest_inprocess("--vharness-compare=main", "--lf")
    again.assert_outcomes(failed=1)

    assert project.runpytest_inprocess("--vharness-compare=main", "--vharness-update").ret == 0
    assert path.read_text(encoding="utf-8") == saved


def test_what_is_missing_changed_or_left_over_fails_loudly(project: pytest.Pytester) -> None:
    assert project.runpytest_inprocess("--vharness-save=main").ret == 0
    folder = project.path / "vharness-baselines" / "main"
    (path,) = folder.glob("*.json")

    overwritten = _changed_questions(path)
    changed = project.runpytest_inprocess("--vharness-compare=main")
    changed.stdout.re_match_lines(
        [r".*csr against baseline 'main': not comparable.*the data changed".replace("csr", "CSR")]
    )
    assert changed.ret == 1
    path.write_text(overwritten.replace('"csr": ', '"csr": 0'), encoding="utf-8")
    edited = project.runpytest_inprocess("--vharness-compare=main")
    edited.stdout.re_match_lines([rf".*{re.escape(path.name)}:\d+: .*"])
    assert edited.ret == 1

    path.rename(folder / "other.json")
    (folder / "other.json").write_text(overwritten, encoding="utf-8")
    missing = project.runpytest_inprocess("--vharness-compare=main")
    missing.stdout.re_match_lines_random(
        [
            r"Baseline 'main' has no .*the test is new, or its configuration was changed",
            r".*holds other, which no test",
            r"failed: vharness-mini_caa_security_.*-csr",
            r"failed: vharness-orphans-of-main",
        ]
    )
    assert missing.ret == 1

    (folder / "other.json").unlink()
    assert project.runpytest_inprocess("--vharness-compare=main", "--vharness-update-new").ret == 0
    assert path.is_file()


def _changed_questions(path: Path) -> str:
    """Changes the words that were asked; returns the text before."""
    text = path.read_text(encoding="utf-8")
    _changed(path, lambda o: o.model_copy(update={"questions": dict.fromkeys(o.questions, "00000000")}))
    return text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vharness-compare=../x"], "plain name"),
        (["--vharness-update"], "need --vharness-compare"),
        (["--vharness-save=a", "--vharness-compare=b"], "not both"),
        (["--vharness-compare=a", "--vharness-margin=2"], "Margin 2"),
        (["--vharness-compare=a", "--vharness-metrics=cst"], "Did you mean 'csr'"),
    ],
)
def test_senseless_options_stop_before_anything_is_run(
    project: pytest.Pytester, options: list[str], message: str
) -> None:
    result = project.runpytest_inprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str() + result.stdout.str()


def test_workers_evaluate_once_and_say_the_same(
    project: pytest.Pytester, run_folders: Callable[[], list[Path]]
) -> None:
    project.makepyfile(test_py=PYTHON)
    assert project.runpytest_inprocess("-k", "csr", "--vharness-save=main").ret == 0
    (path,) = (project.path / "vharness-baselines" / "main").glob("*.json")
    _changed(path, _as_if_better)
    alone = project.runpytest_inprocess("--vharness-compare=main")
    before = len(run_folders())
    shared = project.runpytest_subprocess(
        "-n", "2", "-p", "xdist", "--vharness-compare=main", "--vharness-html=page.html"
    )
    assert shared.parseoutcomes() == alone.parseoutcomes()
    assert shared.parseoutcomes()["failed"] >= 2
    assert len(run_folders()) == before + 1
    assert len(_tests_of(project.path / "page.html")["test_py.py::test_fails"]["samples"]) > 0


def test_a_method_held_against_is_no_run_of_the_baseline(project: pytest.Pytester) -> None:
    write(project, "test_security", CASE + "  versus: {steerer: ica, metric: fr, margin: 0.5}\n")
    assert project.runpytest_inprocess("--vharness-save=main").ret == 0
    assert len(list((project.path / "vharness-baselines" / "main").glob("*.json"))) == 1


def test_the_command_line_goes_before_the_ini_file(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nvharness_compare = main\n")
    assert project.runpytest_inprocess("--vharness-save=main").ret == 0
    project.runpytest_inprocess().assert_outcomes(passed=6)
    project.runpytest_inprocess("--vharness-compare=").assert_outcomes(passed=1)


def test_a_run_without_an_exam_is_held_to_what_it_measured(pytester: pytest.Pytester) -> None:
    write(pytester, "test_narrow", "tasks: [mini_security]\n" + STEERED)
    pytester.makepyfile(
        test_python="""
        import pytest

        @pytest.mark.vharness(model="mini", steerer="caa", values=["security"], tasks=["mini_security"], limit=16)
        def test_holds(vharness_run):
            assert vharness_run.csr["security"] > 0.5
            assert vharness_run.exam.get("all") is None
        """
    )
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(["*The run did not measure 'exam'; check its 'tasks' and its steerer.*"])
    result.stdout.fnmatch_lines(["*The run did not measure 'side_effects'*"])
