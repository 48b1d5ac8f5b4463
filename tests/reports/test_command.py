from __future__ import annotations

import shlex

import pytest
from typer.testing import CliRunner

from valuebench_harness.harness.config import make_config
from valuebench_harness.reports.command import command


def test_defaults_are_left_out() -> None:
    assert command(make_config()) == "vharness eval --model mini --steerer base"


def test_words_are_quoted() -> None:
    words = shlex.split(command(make_config(model="my model; rm -rf", steerer="conva", system_prompt="Be 'kind'.")))
    assert words[words.index("--model") + 1] == "my model; rm -rf"
    assert words[words.index("--system-prompt") + 1] == "Be 'kind'."


def test_the_command_is_accepted_and_gives_the_same_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from valuebench_harness.cli import evaluate
    from valuebench_harness.harness import config as configs

    config = make_config(
        model="mini",
        steerer="caa",
        values=("power", "security"),
        strength=(1.0, 2.5),
        layers=(1, 2),
        settings={"normalise": True, "scope": "all", "share": 0.5},
        context_controlled=False,
        trust_remote_code=True,
        judge="openai",
        judge_settings={"model": "judge-1", "base_url": "http://127.0.0.1:1"},
        limit=5,
        seed=3,
        temperature=0.0,
    )
    seen = []

    def spy(**values: object) -> None:
        seen.append(configs._validate(values, ""))
        raise typer.Exit

    monkeypatch.setattr(configs, "make_config", spy)
    app = typer.Typer()
    app.command()(evaluate.run)
    result = CliRunner().invoke(app, shlex.split(command(config))[2:])
    assert result.exit_code == 0, result.output
    assert seen == [config]
