r"""Supervised fine-tuning (SFT): a LoRA adapter a value and direction, switched on row by row.

ConVA's baseline (Jin et al., ACL 2025, Appendix H): the model is fine-tuned on prompts with answers that favour
the value, with low-rank updates :math:`W x + s\,\frac{\alpha}{r} B A x` (Hu et al., ICLR 2022) of the maps that
read the state into the attention. The paper trains on FULCRA; without it the data set's own demonstrations are
used, which share no item with the dilemmas. Strength is :math:`s`: 0 the identity, 1 what was trained.
The adapter away from the value is trained on answers against it, not the first with its sign turned.

The learning rate depends on the model's width unless it is given: the paper's 1e-4 at a width of 4096, elsewhere
that times the square root of 4096 / width. ``preset=conva`` holds all of its settings, gradient checkpointing among
them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from valuebench_harness.data.fulcra import read_fulcra
from valuebench_harness.engine.adapter import Adapter, LowRankUpdate, ScaledAdapter
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valuebench_harness.data.schemas import Demonstration
    from valuebench_harness.steerers.artifact import Artifact

RATE, WIDTH = 1e-4, 4096
"""The paper's learning rate, and the width of the model it is for."""

PRESETS: dict[str, dict[str, Any]] = {
    "conva": {
        "rank": 8,
        "alpha": 32,
        "dropout": 0.1,
        "epochs": 10,
        "batch_size": 16,
        "micro_batch": 4,
        "learning_rate": 1e-4,
        "modules": ("q_proj", "k_proj", "v_proj"),
        "gradient_checkpointing": True,
    }
}
"""Settings of papers, by name."""


class Settings(base.Settings):
    """How the adapter is trained.

    Attributes:
        preset: settings of a paper; those given beside it win.
        fulcra: folder with data in FULCRA's format, in place of the data set's demonstrations.
        rank: of the updates.
        alpha: they are multiplied by alpha / rank.
        dropout: on the updates' inputs while training.
        epochs: passes over the answers.
        batch_size: answers a step.
        micro_batch: answers a forward pass; 0 for the whole batch.
        learning_rate: at the start; it falls linearly to 0. None: by the model's width.
        modules: last parts of the names of the linear maps; empty for those that read into the attention.
        gradient_checkpointing: less memory, more time.
    """

    preset: Literal["", "conva"] = ""
    fulcra: Path | None = None
    rank: int = Field(8, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    epochs: int = Field(10, ge=1)
    batch_size: int = Field(16, ge=1)
    micro_batch: int = Field(0, ge=0)
    learning_rate: float | None = Field(None, gt=0)
    modules: tuple[str, ...] = ()
    gradient_checkpointing: bool = False

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("preset"), str):
            return {**PRESETS.get(values["preset"], {}), **values}
        return values

    @field_validator("modules", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(x.strip() for x in value.strip("[]").split(",") if x.strip()) if isinstance(value, str) else value

    def rate(self, width: int) -> float:
        """The learning rate for a model of this width."""
        return self.learning_rate if self.learning_rate is not None else RATE * (WIDTH / width) ** 0.5


class SFT(base.Steerer[Settings]):
    """Switches a fine-tuned adapter on. Strength is the adapter's scale."""

    name = "sft"
    source = "Jin et al., ACL 2025, Appendix H"
    settings_type = Settings
    uses_pairs = False
    tuning_grid = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._adapters: dict[tuple[str, base.Direction], Adapter] = {}

    @property
    def reads(self) -> tuple[Path, ...]:
        """The folder of training data, where one is given."""
        return (self.settings.fulcra,) if self.settings.fulcra else ()

    def fit(self, context: base.FitContext) -> Artifact:
        """Trains one adapter on answers for the value and one on answers against it.

        Raises:
            UsageError: peft is not installed, there are no answers to learn from, or a setting does not fit.
        """
        if find_spec("peft") is None:
            raise UsageError("'sft' trains with peft: pip install 'valuebench-harness[sft]'.")
        from valuebench_harness.steerers.sft_training import target_modules, tokenize, train

        assert context.model is not None, "the harness fits with the model"
        layers = base.check_layers(context.layers or range(context.shape.n_layers), context.shape)
        modules = target_modules(context.model, self.settings.modules, layers)
        arrays: dict[str, np.ndarray] = {}
        for direction, answers in self._answers(context).items():
            examples = [tokenize(context.model, item.prompt, item.answer) for item in answers]
            updates = train(context.model, examples, modules, self.settings, context.seed)
            for module, (down, up) in updates.items():
                arrays[f"{direction}/{module}/down"], arrays[f"{direction}/{module}/up"] = down, up
        return context.artifact(self.name, arrays, layers=layers, settings=self.settings)

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """Switches the direction's adapter on, scaled by the strength.

        Raises:
            UsageError: there was nothing to train this direction's adapter on.
        """
        assert artifact is not None
        if request.strength == 0 or not request.gate_open:
            return base.Steered(request.messages)
        adapter = self._adapter(artifact, request.direction)
        return base.Steered(request.messages, SteerPlan(adapters=(ScaledAdapter(adapter, request.strength),)))

    def _adapter(self, artifact: Artifact, direction: base.Direction) -> Adapter:
        """The adapter of a direction; made once for each artifact, so that plans share its matrices."""
        key = (artifact.digest, direction)
        if key not in self._adapters:
            prefix, value = f"{direction}/", artifact.meta.value
            names = sorted({n.split("/")[1] for n in artifact.arrays if n.startswith(prefix)})
            if not names:
                raise UsageError(f"The 'sft' artifact for {value} has no adapter for the {direction} direction.")
            updates = (
                LowRankUpdate(
                    name, *(FrozenArray(artifact.arrays[f"{prefix}{name}/{side}"]) for side in ("down", "up"))
                )
                for name in names
            )
            self._adapters[key] = Adapter(f"sft {value} {direction}", tuple(updates))
        return self._adapters[key]

    def _answers(self, context: base.FitContext) -> dict[base.Direction, list[Demonstration]]:
        folder = self.settings.fulcra
        found: Sequence[Demonstration] = (
            context.demonstrations if folder is None else read_fulcra(folder, context.value.id)
        )
        sides: tuple[base.Direction, base.Direction] = ("positive", "negative")
        answers = {side: [item for item in found if item.direction == side] for side in sides}
        if not found:
            raise UsageError(
                f"The data set has no answers for or against '{context.value.id}' to fine-tune on "
                "(demonstrations/). Give a folder in FULCRA's format: --set fulcra=FOLDER."
            )
        return {side: items for side, items in answers.items() if items}
