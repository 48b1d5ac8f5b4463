"""Bad input is answered in one or two lines that say what, where and what to do, with exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Outcome


def refused(done: Outcome, *needles: str, code: int = 2) -> None:
    assert done.code == code, done
    assert done.err.startswith("error: "), done.err
    assert len(done.lines) <= 2, done.err
    for needle in needles:
        assert needle in done.err, done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("options", "needles"),
    [
        (["--steerer", "convaa"], ["Unknown steerer 'convaa'", "Did you mean 'conva'"]),
        (["--steerer", "nowhere.py:Mine"], ["there is no file nowhere.py"]),
        (["--steerer", "caa", "--values", "securty"], ["Unknown value 'securty'", "'security'"]),
        (["--steerer", "caa", "--values", "power+"], ["Empty value name"]),
        (["--steerer", "ica", "--values", "power:0.5"], ["Strength 0.5", "(on)"]),
        (["--steerer", "caa", "--strength", "strong"], ["'strength'", "'strong'", "not a number"]),
        (["--steerer", "caa", "--strength", "3:1"], ["must go up"]),
        (["--steerer", "caa", "--strength=-1"], ["Strength -1", ">= 0"]),
        (["--steerer", "caa", "--strength", "nan"], ["'strength'", "'nan'"]),
        (["--steerer", "ica", "--strength", "0.5"], ["0 (off) or 1 (on)"]),
        (["--steerer", "caa", "--layers", "last"], ["'last' is no layer"]),
        (["--steerer", "caa", "--set", "scope"], ["--set 'scope'", "key=value"]),
        (["--steerer", "caa", "--set", "scop=all"], ["Unknown setting of steerer 'caa' 'scop'", "'scope'"]),
        (["--steerer", "conva", "--gate", "prob"], ["Unknown gate 'prob'", "'probe'"]),
        (["--limit", "0"], ["'limit'", "greater than or equal to 1"]),
        (["--n-samples", "0"], ["samples'", "greater than or equal to 1"]),
        (["--temperature=-1"], ["'temperature'"]),
        (["--dtype", "float8"], ["'dtype'", "'float8'"]),
        (["--direction", "up"], ["'direction'", "'positive' or 'negative'"]),
        (["--judge", "opnai", "--dry-run"], ["Unknown judge 'opnai'", "'openai'"]),
        (["--format", "pdf"], ["Unknown format 'pdf'"]),
        (["--value-system", "schwarz"], ["Unknown", "'schwarz'", "'schwartz'"]),
        (["--value-system", "honesty.yaml"], ["honesty.yaml"]),
        (["--tasks", "mini"], ["'mini'", "another family"]),
        (["--tasks", "schwartz_powr"], ["schwartz_powr", "schwartz_power"]),
        (["--tasks", "mmlu_value_unrelated"], ["mmlu", "VHARNESS_DATA_DIR"]),
        (["--include-path", "nowhere", "--tasks", "mine"], ["nowhere"]),
        (["--config", "nowhere.yaml"], ["no configuration file nowhere.yaml"]),
    ],
    ids=lambda part: " ".join(part) if part and part[0].startswith("--") else "",
)
def test_eval_refuses(vharness: Command, checkpoint: Path, options: list[str], needles: list[str]) -> None:
    refused(vharness("eval", "--model", checkpoint, "--quiet", *options), *needles)


def test_a_layer_that_the_model_does_not_have(vharness: Command, checkpoint: Path) -> None:
    few = ["--values", "power", "--limit", "1", "--tasks", "schwartz_power", "--quiet"]
    done = vharness("eval", "--model", checkpoint, "--steerer", "caa", "--layers", "9", *few)
    refused(done, "Layer 9 is out of range", "5 layers, 0 to 4")


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ("modell: mini", ["config.yaml", "Unknown key 'modell'", "'model'"]),
        ("limit: many", ["config.yaml", "'limit'", "'many'"]),
        ("model: [a, b]", ["config.yaml", "'model'"]),
        ("strength: [weak]", ["config.yaml", "'strength'", "'weak'"]),
        ("- just\n- a list", ["config.yaml", "keys and values"]),
        ("model: {", ["config.yaml", "not valid YAML"]),
        ("", ["config.yaml", "keys and values"]),
    ],
)
def test_a_malformed_configuration(vharness: Command, own_folders: Path, text: str, needles: list[str]) -> None:
    (own_folders / "config.yaml").write_text(text)
    refused(vharness("eval", "--config", "config.yaml"), *needles)


def test_a_configuration_that_is_no_text(vharness: Command, own_folders: Path) -> None:
    (own_folders / "config.yaml").write_bytes(b"\xff\xfe\x00")
    refused(vharness("eval", "--config", "config.yaml"), "config.yaml", "not valid YAML")


class TestModels:
    def ask(self, vharness: Command, model: object) -> Outcome:
        few = ["--values", "power", "--limit", "1", "--tasks", "schwartz_power", "--quiet"]
        return vharness("eval", "--model", model, *few)

    def test_a_folder_that_is_no_checkpoint(self, vharness: Command, own_folders: Path) -> None:
        (own_folders / "empty").mkdir()
        refused(self.ask(vharness, "./empty"), "./empty is no checkpoint", "config.json")

    def test_a_path_that_does_not_exist(self, vharness: Command) -> None:
        refused(self.ask(vharness, "./nowhere"), "./nowhere is no folder")

    def test_a_folder_without_a_tokenizer(self, vharness: Command, own_folders: Path) -> None:
        (own_folders / "bare").mkdir()
        (own_folders / "bare" / "config.json").write_text('{"model_type": "llama"}')
        (own_folders / "bare" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
        refused(self.ask(vharness, "./bare"), "has no tokenizer")

    def test_an_unknown_id_with_the_hub_out_of_reach(self) -> None:
        """In a process of its own: the hub's library reads its offline switch when it is imported."""
        command = [sys.executable, "-c", "from valuebench_harness.cli.main import main; main()"]
        command += ["eval", "--model", "nobody/nothing", "--tasks", "schwartz_power", "--limit", "1", "--quiet"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
        refused(Outcome(done.returncode, done.stdout, done.stderr), "'nobody/nothing'", "Give the folder")


class TestOwnValues:
    """A user's value system with malformed items."""

    SYSTEM = (
        "name: honesty\ndata: ./items\nvalues:\n  honesty:\n    name: Honesty\n    definition: Telling the truth.\n"
    )
    HEADER = "scene,question,option0,option1,favours\n"
    ROW = 'work,"Would you tell your boss?",tell the boss,keep quiet,0\n'

    def ask(self, vharness: Command, checkpoint: Path, folder: Path, table: str) -> Outcome:
        (folder / "honesty.yaml").write_text(self.SYSTEM)
        (folder / "items" / "dilemmas").mkdir(parents=True)
        (folder / "items" / "dilemmas" / "honesty.csv").write_text(table)
        options = ["--value-system", "honesty.yaml", "--tasks", "honesty", "--quiet"]
        return vharness("eval", "--model", checkpoint, "--limit", "1", *options)

    def test_a_table_without_a_column(self, vharness: Command, checkpoint: Path, own_folders: Path) -> None:
        done = self.ask(vharness, checkpoint, own_folders, "scene,question,option0,option1\nwork,Why?,a,b\n")
        refused(done, "honesty.csv", "favours")

    def test_a_table_with_an_empty_row(self, vharness: Command, checkpoint: Path, own_folders: Path) -> None:
        done = self.ask(vharness, checkpoint, own_folders, self.HEADER + self.ROW + ",,,,\n")
        refused(done, "honesty.csv:3", "empty")

    def test_a_cell_of_the_wrong_kind(self, vharness: Command, checkpoint: Path, own_folders: Path) -> None:
        done = self.ask(vharness, checkpoint, own_folders, self.HEADER + self.ROW.replace(",0\n", ",maybe\n"))
        refused(done, "honesty.csv:2", "favours", "maybe")

    def test_an_empty_table(self, vharness: Command, checkpoint: Path, own_folders: Path) -> None:
        refused(self.ask(vharness, checkpoint, own_folders, ""), "honesty.csv")


@pytest.mark.parametrize(
    ("command", "needles"),
    [
        (["report", "nowhere"], ["nowhere is no run", "run.json"]),
        (["report", "nowhere", "--format", "pdf"], ["Unknown format 'pdf'"]),
        (["ls", "runs", "nowhere"], ["no folder nowhere"]),
        (["ls", "tasks", "somewhere"], ["takes no folder"]),
        (["data", "pull", "mmul"], ["Unknown data set 'mmul'", "'mmlu'"]),
        (["data", "pull", "mmlu:astronmy"], ["'astronmy'", "'astronomy'"]),
        (["data", "check", "schwarz"], ["'schwarz'", "'schwartz'"]),
        (["data", "check", "mmlu"], ["mmlu", "vharness data pull mmlu"]),
        (["cache", "gc", "--max-size", "lots"], ["--max-size 'lots'", "2GB"]),
        (["cache", "gc", "--max-size=-1GB"], ["--max-size '-1GB'"]),
        (["fit", "--steerer", "ica"], ["'ica'", "learns nothing"]),
        (["try", "  ", "--value", "power"], ["The prompt is empty"]),
    ],
    ids=" ".join,
)
def test_other_verbs_refuse(vharness: Command, command: list[str], needles: list[str]) -> None:
    refused(vharness(*command), *needles)
