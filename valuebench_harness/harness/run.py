"""A finished run, read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.records import Condition, Document, RunInfo, Sample, VerdictRecord
from valuebench_harness.harness.results import Results
from valuebench_harness.harness.store import RunStore


@dataclass(frozen=True)
class Answer:
    """A sample with its document and verdicts, for whoever reads samples.

    Attributes:
        sample: what the model said.
        document: what it was asked.
        condition: under which condition.
        verdicts: of the run's judge, by question.
    """

    sample: Sample
    document: Document
    condition: Condition
    verdicts: dict[str, VerdictRecord]

    @property
    def aimed(self) -> bool | None:
        """Whether the answer is on the side aimed at; ``None`` is unscored, or no dilemma."""
        verdict = self.verdicts.get("csr")
        if verdict is None or verdict.label is None:
            return None
        return (verdict.label == "yes") == (self.condition.aim(self.document.value) > 0)


class Run:
    """A run's folder, read on demand.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.store = RunStore(folder)
        self.info: RunInfo = self.store.info()

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.store.folder

    @cached_property
    def results(self) -> Results:
        """All numbers of the run.

        Raises:
            UsageError: where the run has none yet, or they are not readable.
        """
        path = self.finished().folder / "metrics.json"
        try:
            return Results.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(
                f"{path} cannot be read: '{'.'.join(map(str, first['loc']))}': {first['msg']}. "
                "The same 'vharness eval' command writes it again."
            ) from error

    def finished(self) -> Run:
        """The run itself.

        Raises:
            UsageError: where it has no numbers yet.
        """
        if not (self.folder / "metrics.json").is_file():
            raise UsageError(
                f"{self.folder} has no metrics yet: its status is '{self.info.status}'. "
                "Finish it with the same 'vharness eval' command and --resume."
            )
        return self

    @cached_property
    def conditions(self) -> dict[str, Condition]:
        """Conditions by id, the base first."""
        return {c.id: c for c in self.store.conditions()}

    @cached_property
    def documents(self) -> dict[str, Document]:
        """Documents by id."""
        return {d.id: d for d in self.store.documents()}

    @cached_property
    def samples(self) -> dict[str, Sample]:
        """Samples by key."""
        return self.store.samples()

    @cached_property
    def csr(self) -> dict[str, float | None]:
        """Control success by value steered, at the first strength."""
        found = (r for r in self.results.conditions if r.condition.level == 0 and r.csr and r.condition.value)
        return {str(r.condition.value): r.csr.after.estimate for r in found if r.csr}

    def answers(self) -> Iterator[Answer]:
        """Every sample with what belongs to it, in the order of conditions and documents."""
        verdicts = self.store.verdicts(self.info.judge)
        order = {c: n for n, c in enumerate(self.conditions)}
        places = {d: n for n, d in enumerate(self.documents)}
        for s in sorted(self.samples.values(), key=lambda s: (order[s.condition], places[s.document], s.repeat)):
            found = {asks: v for asks in ("csr", "fr", "stance") if (v := verdicts.get((s.key, asks)))}
            yield Answer(s, self.documents[s.document], self.conditions[s.condition], found)


def load_run(folder: str | Path) -> Run:
    """Reads a run.

    Args:
        folder: of the run, as ``--out`` named it.

    Raises:
        UsageError: where there is no run.
    """
    return Run(Path(folder))
