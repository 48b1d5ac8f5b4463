"""What goes with a model: the data it is measured on, how its answers are judged, how it is instructed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.aliases import find_alias
from valuebench_harness.harness.config import RunConfig

if TYPE_CHECKING:
    from valuebench_harness.data.datasets import DataSet
    from valuebench_harness.data.values import Value

MINI = "mini"


@dataclass(frozen=True)
class Family:
    """A model's surroundings.

    Attributes:
        data: dilemmas, pairs, questionnaire, exam and neutral texts.
        judge: name of the default judge.
    """

    data: DataSet
    judge: str

    @property
    def is_mini(self) -> bool:
        """Whether this is the built-in model's family."""
        return self.data.name == MINI

    def wording(self, value: Value) -> Mapping[str, str]:
        """Instructions in the data's own language; empty where plain English does."""
        if not self.is_mini:
            return {}
        from valuebench_harness.data.grammar.generate import instruction

        return {d: instruction(value.id, d, seed=0) for d in ("positive", "negative")}


def family_of(config: RunConfig) -> Family:
    """``mini`` speaks its grammar only; every other model gets natural English, or the user's own values."""
    from valuebench_harness.data.datasets import load_dataset
    from valuebench_harness.data.values import load_value_system

    if Path(config.value_system).suffix in {".yaml", ".yml"}:
        return Family(load_dataset(config.value_system), "option-match")
    if config.value_system.lower() == "valuebench":
        raise UsageError(
            "The value system 'valuebench' has questionnaires but no dilemmas to steer by: "
            "keep --value-system schwartz and run --tasks valuebench."
        )
    if config.model == MINI:
        load_value_system(config.value_system)  # a name that does not exist is an error here, too
        return Family(load_dataset(MINI), "grammar")
    return Family(load_dataset(config.value_system), "option-match")


def model_path(name: str) -> str:
    """Where a model's name leads: the built-in model's folder, what a short name stands for, or the name itself."""
    if name != MINI:
        alias = find_alias(name)
        return alias.id if alias is not None else name
    # All that the harness takes from `mini`: where its checkpoint lies. It is loaded like any other.
    from valuebench_harness.mini import weights_path

    return str(weights_path())
