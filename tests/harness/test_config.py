"""The configuration: what users write, what they get wrong, and what they are told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.config import RunConfig, load_config, make_config, parse_layers, parse_strengths


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, None),
        (2, (2.0,)),
        (0, (0.0,)),
        ("2", (2.0,)),
        ("1,2,4", (1.0, 2.0, 4.0)),
        (" 1 , 2.5 ", (1.0, 2.5)),
        ("1:3", (1.0, 2.0, 3.0)),
        ("1:3:0.5", (1.0, 1.5, 2.0, 2.5, 3.0)),
        ("0:0.3:0.1", (0.0, 0.1, 0.2, 0.3)),
        ("1:2.5", (1.0, 2.0)),
        ("0.5,1:3", (0.5, 1.0, 2.0, 3.0)),
        ("1,1.0,1:2", (1.0, 2.0)),
        ("1e-3", (0.001,)),
        ([1, 2.5], (1.0, 2.5)),
        ([1, 1.0, 2], (1.0, 2.0)),
    ],
)
def test_strengths(written: Any, meant: tuple[float, ...] | None) -> None:
    assert make_config(strength=written).strength == meant


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("strong", "'strong' in 'strong' is not a number"),
        ("1,", "'' in '1,' is not a number"),
        ("", "not a number"),
        ("nan", "not a number"),
        ("inf", "not a number"),
        ("1:inf", "not a number"),
        ("3:1", "must go up"),
        ("1:3:0", "must go up"),
        ("1:3:-1", "must go up"),
        ("1:2:3:4", "start:stop:step"),
        ("0:1:1e-9", "more than 100"),
        (True, "no strength"),
        ([1, "much"], "much"),
        ({"a": 1}, "no strength"),
    ],
)
def test_strengths_that_are_none(written: Any, words: str) -> None:
    with pytest.raises(UsageError, match="'strength'") as caught:
        make_config(strength=written)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, None),
        (13, (13,)),
        ("13", (13,)),
        ("10,13", (10, 13)),
        ("10-12", (10, 11, 12)),
        ("0, 3 - 4, 3", (0, 3, 4)),
        ([1, 2, 2], (1, 2)),
    ],
)
def test_layers(written: Any, meant: tuple[int, ...] | None) -> None:
    assert make_config(layers=written).layers == meant


@pytest.mark.parametrize("written", ["", "last", "-1", "1.5", 1.5, True, "5-3", "1,,2", "1,5-3", ["x"]])
def test_layers_that_are_none(written: Any) -> None:
    with pytest.raises(UsageError, match="'layers'"):
        make_config(layers=written)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_a_strength_and_a_layer_or_an_error_in_words(text: str) -> None:
    for parse in (parse_strengths, parse_layers):
        with suppress(ValueError):  # which pydantic turns into a UsageError; any other would be a traceback
            assert isinstance(parse(text), tuple)


@pytest.mark.parametrize(
    "written", ["security,power", " security , power ,", ["security", "power"], ("security", "power")]
)
def test_names(written: Any) -> None:
    assert make_config(values=written).values == ("security", "power")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"modle": "mini"}, "Unknown key 'modle'. Did you mean 'model'?"),
        ({"limit": 0}, "'limit': Input should be greater than or equal to 1 (got 0)"),
        ({"limit": "many"}, "'limit'"),
        ({"limit": 1.5}, "'limit'"),
        ({"batch_size": -1}, "'batch_size'"),
        ({"max_new_tokens": 0}, "'max_new_tokens'"),
        ({"n_samples": 0}, "'n_samples'"),
        ({"seed": -1}, "'seed'"),
        ({"temperature": -0.1}, "'temperature'"),
        ({"direction": "up"}, "'positive' or 'negative'"),
        ({"dtype": "int4"}, "'dtype'"),
        ({"split": "train"}, "'split'"),
        ({"max_unscored": 2}, "'max_unscored'"),
        ({"settings": "scope"}, "'settings'"),
        ({"model": None}, "'model'"),
        ({"values": 5}, "'values'"),
    ],
)
def test_bad_values_are_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_config(**values)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sampling_is_greedy_for_one_answer_and_warm_for_several() -> None:
    assert make_config().sampling_temperature == 0
    assert make_config(n_samples=3).sampling_temperature == 1
    assert make_config(n_samples=3, temperature=0.4).sampling_temperature == 0.4


def test_a_configuration_survives_json() -> None:
    config = make_config(strength="1:3", layers="2-4", values="power", settings={"c": 0.1}, include_path="tasks")
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


# Files


def test_a_file_holds_the_same_keys(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("model: mini\nsteerer: caa\nstrength: 1:3\nvalues: [power]\nsettings: {scope: prompt}\n")
    assert make_config(**load_config(path)) == make_config(
        model="mini", steerer="caa", strength="1:3", values="power", settings={"scope": "prompt"}
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("modle: mini", "Did you mean 'model'"),
        ("limit: none", "'limit'"),
        ("strength: strong", "not a number"),
        ("1: 2", "Unknown key '1'"),
        ("- model", "must hold keys and values"),
        ("", "must hold keys and values"),
        ("model: [", "not valid YAML"),
        ("model: !!python/object:os.system {}", "not valid YAML"),
        ("\tmodel: x", "not valid YAML"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_config(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_or_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UsageError, match=r"binary\.yaml"):
        load_config(tmp_path / "binary.yaml")
    with pytest.raises(UsageError, match=r"no configuration file .*missing\.yaml"):
        load_config(tmp_path / "missing.yaml")


def test_samples_that_would_all_be_one_answer_are_refused() -> None:
    with pytest.raises(UsageError, match="'temperature': 3 samples an item would be one greedy answer"):
        make_config(n_samples=3, temperature=0.0)
    assert make_config(n_samples=1, temperature=0.0).sampling_temperature == 0
