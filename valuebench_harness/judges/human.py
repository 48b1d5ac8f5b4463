"""People as judge: the labels that they wrote into sheets, the majority where there are several raters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from valuebench_harness.errors import UsageError
from valuebench_harness.judges.base import Judge, JudgeItem, Verdict
from valuebench_harness.judges.labels import Labels, item_id, read_labels


class HumanSettings(BaseModel):
    """Where the labels are.

    Attributes:
        labels: sheets, one a rater.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[Path, ...]

    @field_validator("labels", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | Path) else value


class Human(Judge):
    """Reads verdicts from label sheets; what nobody labelled, or raters are split on, is unscored."""

    name = "human"
    asks = frozenset({"csr", "fr", "stance", "agreement", "shows"})

    def __init__(self, settings: HumanSettings) -> None:
        self.settings = settings

    @cached_property
    def labels(self) -> Labels:
        """All labels.

        Raises:
            UsageError: where a sheet cannot be read.
        """
        return read_labels(self.settings.labels)

    @property
    def identity(self) -> str:
        """Changes with any label."""
        said = json.dumps({a: dict(sorted(items.items())) for a, items in self.labels.given.items()}, sort_keys=True)
        return f"{self.name}/1:{hashlib.sha256(said.encode()).hexdigest()[:16]}"

    def check_items(self, items: Sequence[JudgeItem], where: str) -> None:
        """Refuses sheets that were drawn from something else.

        Raises:
            UsageError: they label nothing that is asked of the items, or items that are not among them.
        """
        if not {item.asks for item in items} & set(self.labels.given):
            raise UsageError(
                f"The sheets label {', '.join(self.labels.given)}, which no answer in {where} is asked: "
                "'vharness judge sample' with the run's folder writes a sheet for its answers."
            )
        self.labels.check_ids({item_id(item) for item in items}, where)

    async def judge(self, items: Sequence[JudgeItem]) -> AsyncIterator[tuple[int, Verdict]]:
        """Looks every item up."""
        for index, item in enumerate(items):
            yield index, self._verdict(item)

    def _verdict(self, item: JudgeItem) -> Verdict:
        name = item_id(item)
        said = self.labels.given.get(item.asks, {}).get(name, {})
        if not said:
            return Verdict(None, "no rater labelled it")
        label = self.labels.majority(item.asks, name)
        return Verdict(label, f"{len(said)} raters" if label else "raters are split")
