from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from valuebench_harness.errors import UsageError
from valuebench_harness.pytest_plugin.expectations import read_cases, schema

GOOD = """\
# Security must hold.
model: mini
steerer: conva
values: [security]
limit: 24
expect:
  csr: {min: .6}
  mmlu: {drop_max: .02}
  side_effects: {max: .1, except: [universalism]}
  versus: base
"""


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "test_x.vharness.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_with_the_line_of_each_expectation(tmp_path: Path) -> None:
    (case,) = read_cases(_write(tmp_path, GOOD))
    assert (case.name, case.config.steerer, case.config.values) == ("test_x", "conva", ("security",))
    assert case.expect.given == ["csr", "exam", "side_effects", "versus"]
    assert case.lines == {"csr": 7, "exam": 8, "side_effects": 9, "versus": 10}
    assert case.expect.side_effects is not None
    assert case.expect.side_effects.left_out == ("universalism",)
    assert case.expect.versus is not None
    assert case.expect.versus.steerer == "base"


def test_a_list_holds_several_cases(tmp_path: Path) -> None:
    text = "- {steerer: caa, expect: {csr: {min: .5}}}\n- name: two\n  steerer: ica\n  expect: {fr: {min: .5}}\n"
    first, second = read_cases(_write(tmp_path, text))
    assert (first.name, second.name, second.line) == ("caa", "two", 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steerer: conva", "steerr: conva", r":3: Unknown key 'steerr'. Did you mean 'steerer'"),
        ("limit: 24", "limit: many", r":5: 'limit'"),
        ("csr: {min: .6}", "cssr: {min: .6}", r":7: Unknown expectation 'cssr'"),
        ("csr: {min: .6}", "csr: {min: 60}", r":7: 'csr.min'"),
        ("csr: {min: .6}", "csr: {minn: .6}", r":7: 'csr.minn'"),
        ("csr: {min: .6}", "csr: {}", r":7: 'csr': say min, max or drop_max"),
        ("drop_max: .02", "drop_max: 2", r":8: 'mmlu.drop_max'"),
        ("versus: base", "versus: [1]", r":10: 'versus'"),
        ("expect:", "expected:", r":6: Unknown key 'expected'. Did you mean 'expect'"),
        ("values: [security]", "values: [security", r"no valid YAML"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError, match=message) as error:
        read_cases(_write(tmp_path, GOOD.replace(old, new)))
    assert "test_x.vharness.yaml" in str(error.value)


@pytest.mark.parametrize("text", ["", "3", "model: mini", "- 3", "expect: {}"])
def test_files_without_expectations_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"test_x.vharness.yaml:\d+: "):
        read_cases(_write(tmp_path, text))


def test_two_cases_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "- {steerer: caa, expect: {csr: {min: .5}}}\n- {steerer: caa, expect: {fr: {min: .5}}}\n"
    with pytest.raises(UsageError, match="two cases are called 'caa'"):
        read_cases(_write(tmp_path, text))


def test_the_schema_for_editors_is_current_and_agrees() -> None:
    path = Path(__file__).parents[2] / "valuebench_harness" / "pytest_plugin" / "expectations.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(json.dumps(schema())), (
        "write it again: python -m valuebench_harness.pytest_plugin.schema"
    )
    case = {"model": "mini", "values": ["power"], "expect": {"mmlu": {"drop_max": 0.02}, "versus": "base"}}
    jsonschema.validate(case, schema())
    for wrong in ({**case, "modle": "x"}, {**case, "expect": {"csr": {"minn": 1}}}, {"model": "mini"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema())
