"""From one answer, and what the judge said of it, to one outcome. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from valuebench_harness.harness.records import Condition, Document, Sample, VerdictRecord
from valuebench_harness.metrics.consistency import orientation


@dataclass(frozen=True)
class OutcomeReader:
    """Reads the outcomes of a run's samples; ``None`` is unscored.

    Attributes:
        documents: by id.
        verdicts: by sample key and question.
    """

    documents: Mapping[str, Document]
    verdicts: Mapping[tuple[str, str], VerdictRecord]

    def favours(self, s: Sample) -> bool | None:
        """Whether the answer acts for the value of its dilemma."""
        label = self._label(s, "csr")
        return None if label is None else label == "yes"

    def fluent(self, s: Sample) -> bool | None:
        """Whether the answer is fluent."""
        label = self._label(s, "fr")
        return None if label is None else label == "fluent"

    def aimed(self, s: Sample, condition: Condition) -> bool | None:
        """Whether the answer is on the side that a condition aims at."""
        favours = self.favours(s)
        return None if favours is None else favours == (condition.aim(self.documents[s.document].value) > 0)

    def success(self, s: Sample, condition: Condition) -> bool:
        """Whether the answer is on the side aimed at *and* fluent; what is unscored is a failure here."""
        return self.aimed(s, condition) is True and self.fluent(s) is True

    def right(self, s: Sample) -> bool | None:
        """Whether the choice of an exam item is the right one."""
        return None if s.choice is None else s.choice == self.documents[s.document].answer

    def orientation(self, s: Sample, turn: int = 1) -> int | None:
        """Orientation of the answer to a questionnaire, counted from the value's other side where ``turn`` is -1."""
        agreement = self.documents[s.document].agreement
        assert agreement is not None
        found = orientation(self._label(s, "stance"), agreement)
        return None if found is None else found * turn

    def _label(self, s: Sample, asks: str) -> str | None:
        verdict = self.verdicts.get((s.key, asks))
        return verdict.label if verdict else None
