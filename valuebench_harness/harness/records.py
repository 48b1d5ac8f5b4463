"""What a run writes down. Stages talk through these records only."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from valuebench_harness.engine.rows import Moved
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.judges.base import Question

SCHEMA_VERSION = 1

_TWIN = ":ungated"

Kind = Literal["dilemma", "questionnaire", "exam"]


class Record(BaseModel):
    """Base of all records: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Document(Record):
    """An item as it was asked, kept in the run so that reports need nothing else.

    Attributes:
        id: unique within the run.
        task: name of the task it belongs to.
        kind: what it asks for.
        system: name of the value system that ``value`` belongs to.
        value: id of the value at stake; ``None`` for an exam.
        scene: kind of scene of a dilemma, or subject of an exam item.
        text: what the model is asked, before any template.
        options: the two acts of a dilemma, or the choices of an exam item.
        favours: index of the option that acts for the value.
        yes: index of the option that a bare "yes" affirms.
        agreement: +1 where "yes" speaks for the value, for a questionnaire.
        answer: index of the right choice, for an exam.
    """

    id: str
    task: str
    kind: Kind
    system: str = ""
    value: str | None = None
    scene: str | None = None
    text: str
    options: tuple[str, ...] = ()
    favours: int | None = None
    yes: Literal[0, 1] | None = None
    agreement: int | None = None
    answer: int | None = None


class Condition(Record):
    """A way to run the model. ``base`` is the unsteered one.

    Attributes:
        id: unique within the run, readable.
        steerer: the method.
        value: id of the value steered, or several with their weights, such as ``achievement:1+power:-0.5``;
            ``None`` for the base.
        weights: of each value, where there are several or one has a weight other than 1.
        direction: towards it or away from it; for a value of negative weight the other way round.
        strength: of the method, times the size of a value's weight; 0 for the base.
        layers: asked for; ``None`` for the method's own choice.
        level: place of the strength among those of the run; reports pool values by it, since
            shipped strengths differ between values.
        gate: name of the gate, ``none`` where there is none.
    """

    id: str
    steerer: str = "base"
    value: str | None = None
    weights: dict[str, float] = {}
    direction: Literal["positive", "negative"] = "positive"
    strength: float = 0.0
    layers: tuple[int, ...] | None = None
    level: int = 0
    gate: str = "none"

    @property
    def sign(self) -> int:
        """+1 towards the value, -1 away from it."""
        return 1 if self.direction == "positive" else -1

    @property
    def targets(self) -> dict[str, float]:
        """Ids of the values steered and their weights; none for the base."""
        return self.weights or ({self.value: 1.0} if self.value is not None else {})

    def aim(self, value: str | None) -> int:
        """+1 where answers for a value are aimed at, -1 where answers against it are.

        Values that are not steered are looked at in the condition's own direction.
        """
        return self.sign if self.targets.get(value or "", 1.0) > 0 else -self.sign

    @property
    def twin_id(self) -> str:
        """Id of the ungated twin, which shows what happens without the gate."""
        return f"{self.id}{_TWIN}"

    @property
    def is_twin(self) -> bool:
        """Whether this is the ungated twin of another condition."""
        return self.id.endswith(_TWIN)


BASE = Condition(id="base")


class Sample(Record):
    """One answer.

    Attributes:
        condition: id of the condition.
        document: id of the document.
        repeat: number of the answer to the same document, from 0.
        prompt: as the model read it.
        plan: digest of the steering plan; empty where there is none.
        answer: what it said; untrusted text. Empty for an exam.
        finish: why it stopped.
        prompt_tokens: tokens of the prompt.
        new_tokens: tokens of the answer.
        gate_score: g(x), where there is a gate.
        gate_open: its decision.
        steered: whether any intervention or rewritten prompt was applied.
        moved_prompt: tokens of the prompt whose states interventions changed; ``None`` where the plan has none,
            as for a rewritten prompt or changed weights, and for an exam.
        moved_answer: the same of the answer.
        choice: for an exam, the choice of highest likelihood.
        choice_logprobs: for an exam, log-likelihood of every choice.
    """

    condition: str
    document: str
    repeat: int = 0
    prompt: str
    plan: str = ""
    answer: str = ""
    finish: str = ""
    prompt_tokens: int = 0
    new_tokens: int = 0
    gate_score: float | None = None
    gate_open: bool | None = None
    steered: bool = False
    moved_prompt: Moved | None = None
    moved_answer: Moved | None = None
    choice: int | None = None
    choice_logprobs: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        """What identifies the sample within its run."""
        return f"{self.condition}|{self.document}|{self.repeat}"


class VerdictRecord(Record):
    """A judge's verdict on a sample.

    Attributes:
        sample: key of the sample.
        asks: the judge's question.
        judge: identity of the judge.
        label: one of the question's labels; ``None`` is unscored.
        reason: why.
        tokens: what the verdict cost.
    """

    sample: str
    asks: Question
    judge: str
    label: str | None
    reason: str = ""
    tokens: int = 0


class FitRecord(Record):
    """A fit that a run used: what, for which value, and what it cost."""

    method: str
    value: str
    digest: str
    layers: tuple[int, ...]
    accuracy: dict[int, float] = {}
    seconds: float
    cached: bool


class RunInfo(Record):
    """``run.json``: what a run is, enough to resume it and to compare it.

    Attributes:
        schema_version: of the store.
        config: as given.
        plan_hash: of configuration, conditions and documents.
        data_hash: of documents.
        training: of the method's code and of what it learns from.
        tasks_hash: of the files behind the user's own lm-eval tasks.
        model: name, commit, dtype, fingerprint, layers, width and device of the model.
        judge: identity of the judge of ``metrics.json``.
        fits: the fits that were used.
        versions: of the libraries that matter.
        notes: what the user should know (smaller batches, a missing template, missing data).
        seconds: wall time by stage, of the session that finished the stage.
        status: how far the run is.
        created: UTC time, ISO 8601.
    """

    schema_version: int = SCHEMA_VERSION
    config: RunConfig
    plan_hash: str
    data_hash: str
    training: str = ""
    tasks_hash: str = ""
    model: dict[str, JsonValue] = {}
    judge: str = ""
    fits: tuple[FitRecord, ...] = ()
    versions: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = {}
    status: Literal["planned", "generated", "judged", "complete"] = "planned"
    created: str
