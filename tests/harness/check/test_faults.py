"""Each fault is caught by the check that is there for it, and by no other that has nothing to do with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.checkpoints import Arch, build_checkpoint
from valuebench_harness.engine import steering
from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.engine.steering import Target
from valuebench_harness.harness.check import cost
from valuebench_harness.harness.check.outcome import Conformance
from valuebench_harness.harness.check.registry import CHECKS
from valuebench_harness.harness.check.suite import check_steerer
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.progress import Reporter

SLOW = pytest.mark.slow
"""For faults that are much like another one."""

FAULTS = Path(__file__).with_name("faults.py")


def checked(name: str, **config: object) -> Conformance:
    return check_steerer(make_config(steerer=f"{FAULTS}:{name}", **config), Reporter(quiet=True))


def words(found: Conformance, check: str) -> str:
    return next(c.words for c in found.checks if c.check == check)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What steering costs is measured for one token here."""
    monkeypatch.setattr(cost, "REPEATS", 1)
    monkeypatch.setattr(cost, "NEW_TOKENS", 1)


@pytest.mark.parametrize("scope", ["all", "generated", pytest.param("prompt", marks=SLOW)])
def test_an_honest_steerer_passes(scope: str) -> None:
    found = checked("Honest", settings={"scope": scope})
    assert found.failed == []
    assert found.count("passed") == len(CHECKS) - 1
    assert found.layers == (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["llama", "gpt2", "gemma2"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_honest_steerer_passes_on_other_architectures(tmp_path: Path, arch: Arch, dtype: str) -> None:
    folder = build_checkpoint(tmp_path / arch, arch, length=1024)
    found = checked("Honest", model=str(folder), dtype=dtype)
    assert found.failed == [], {name: words(found, name) for name in found.failed}
    assert found.count("passed") >= len(CHECKS) - 2


@pytest.mark.parametrize(
    ("fault", "caught", "also"),
    [
        ("SteersAtZero", "identity", set()),
        pytest.param("RewritesAtZero", "identity", set(), marks=SLOW),
        ("IgnoresTheGate", "gate", set()),
        ("DrawsInPlan", "deterministic", {"round-trip"}),
        pytest.param("CountsPlans", "deterministic", {"round-trip"}, marks=SLOW),
        ("DrawsInFit", "fit", set()),
        ("KeepsItToItself", "round-trip", {"deterministic"}),
        ("WritesIntoItsArtifact", "round-trip", set()),
        ("LearnsInDoublePrecision", "round-trip", set()),
        ("OneLayerOff", "plan", set()),
        ("SaysAllSteersThePrompt", "plan", set()),
        pytest.param("NumbersOfNumpy", "serialisable", {"plan", "deterministic", "round-trip"}, marks=SLOW),
        ("RegistersInPlan", "serialisable", {"monotone", "direction"}),
        ("Clips", "monotone", set()),
        pytest.param("TakesTheRoot", "monotone", set(), marks=SLOW),
        ("ConfusesTheSides", "direction", set()),
        pytest.param("ForgetsTheSign", "direction", set(), marks=SLOW),
        ("DoesNothing", "acts", {"monotone", "direction", "layers", "tokens"}),
        ("TakesTheBatchMean", "batches", {"decoding"}),
        ("MissesCachedSteps", "decoding", set()),
        ("DividesByRounding", "precision", set()),
        pytest.param("LeaksInFit", "traces", set(), marks=SLOW),
        ("LeaksInPlan", "traces", set()),
        ("WritesIntoWeights", "traces", set()),
        pytest.param("ReplacesForward", "traces", set(), marks=SLOW),
    ],
)
def test_a_fault_is_caught(fault: str, caught: str, also: set[str]) -> None:
    found = checked(fault)
    assert caught in found.failed
    assert set(found.failed) <= {caught, *also}, {name: words(found, name) for name in found.failed}


class TestTheEngine:
    """Faults of the engine under an honest steerer."""

    def test_padding_that_is_steered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def every_column(self: Columns, row: int, scope: TokenScope) -> torch.Tensor:
            return torch.ones(self.width, dtype=torch.bool)

        monkeypatch.setattr(Columns, "mask", every_column)
        found = checked("Honest")
        assert found.failed == ["padding"]
        assert "steering moves padding at layer 1" in words(found, "padding")

    def test_steering_one_block_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(steering, "Target", lambda layer, site: Target(layer + 1, site))
        assert set(checked("Honest").failed) == {"layers", "tokens"}

    def test_answers_that_are_missed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = Columns.mask

        def prompt_only(self: Columns, row: int, scope: TokenScope) -> torch.Tensor:
            return plain(self, row, scope) & self.prompt[row]

        monkeypatch.setattr(steering._Group, "__init__", _masked_by(prompt_only))
        found = checked("Honest")
        assert set(found.failed) == {"tokens", "decoding"}
        assert "answer token" in words(found, "tokens")


def _masked_by(mask: object) -> object:
    """A group's constructor that asks another function which columns are in scope."""
    plain = steering._Group.__init__

    def start(self: object, kind: object, members: object, columns: Columns) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Columns, "mask", mask)
            plain(self, kind, members, columns)  # type: ignore[arg-type]

    return start


class TestCodeThatRaises:
    """Named, with the user's own frames, and the rest is not run."""

    @pytest.mark.parametrize(
        ("fault", "check", "says", "line"),
        [
            ("RaisesInFit", "fit", "fit() raised IndexError", "vectors[context.shape.n_layers]"),
            ("RaisesInPlan", "plan", "plan() raised RuntimeError: no plan today", "no plan today"),
            ("LearnsNothing", "fit", "fit() returned None", ""),
            ("PlansAList", "plan", "must return Steered(messages, plan), not list", ""),
            ("AnotherWidth", "plan", "has 127 values, the model takes 128", ""),
        ],
    )
    def test_before_anything_is_steered(self, fault: str, check: str, says: str, line: str) -> None:
        found = checked(fault)
        assert found.failed == [check]
        assert says in words(found, check)
        frames = next(c.frames for c in found.checks if c.check == check)
        assert line in frames
        assert "site-packages" not in frames
        assert words(found, "layers") == f"not run: see '{check}'"

    def test_while_it_is_applied(self) -> None:
        found = checked("BreaksWhenApplied")
        assert "layers" in found.failed
        record = next(c for c in found.checks if c.check == "layers")
        assert "ValueError: cannot be applied" in record.words
        assert "in fragile" in record.frames
        assert "engine" not in record.frames
