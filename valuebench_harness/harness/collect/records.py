"""What a collection writes down."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from valuebench_harness.harness.collect.config import CollectConfig
from valuebench_harness.harness.records import FitRecord, Record

SCHEMA_VERSION = 1

Part = Literal["train", "test", "both"]
Label = Literal["yes", "no", "unsure"]
LABELS: tuple[Label, ...] = ("yes", "no", "unsure")


class Setting(Record):
    """A way to run the model; the one whose id is empty is unsteered.

    Attributes:
        id: ``steer_dim`` in the tables.
        steerer: the method.
        value: id of the value steered; ``None`` where the method steers none in particular.
        column: that value's name in the tables, where it is measured: the known target of the intervention.
        direction: towards the value or away from it.
        strength: of the method.
        settings: of the method.
    """

    id: str
    steerer: str = "base"
    value: str | None = None
    column: str | None = None
    direction: Literal["positive", "negative"] = "positive"
    strength: float = 0.0
    settings: dict[str, JsonValue] = {}

    @property
    def sign(self) -> int:
        """+1 towards the value, -1 away from it."""
        return 1 if self.direction == "positive" else -1


UNSTEERED = Setting(id="")


class Person(Record):
    """A role as it is asked; the one whose id is empty is nobody in particular.

    Attributes:
        id: ``player_name`` in the tables.
        part: whose items the role answers.
        text: how the role is described to the model.
        fields: what it is made of.
    """

    id: str
    part: Part
    text: str = ""
    fields: dict[str, str] = {}


class Question(Record):
    """A questionnaire item as it is asked.

    Attributes:
        id: unique.
        value: column of the tables.
        part: whether training or test roles are asked.
        text: the question.
        agreement: +1 where "yes" speaks for the value, -1 where it speaks against it.
    """

    id: str
    value: str
    part: Literal["train", "test"]
    text: str
    agreement: Literal[1, -1]


class Reply(Record):
    """One answer.

    Attributes:
        setting, role, item: ids.
        repeat: number of the answer to the same question, from 0.
        answer: what the model said; untrusted text.
        finish: why it stopped.
        prompt_tokens, new_tokens: what it cost.
        probabilities: of yes, no and unsure, where they were read instead of an answer; they add up to 1.
        mass: what the model gave the three together: how much of its answer they are.
    """

    setting: str = ""
    role: str = ""
    item: str
    repeat: int = 0
    answer: str = ""
    finish: str = ""
    prompt_tokens: int = 0
    new_tokens: int = 0
    probabilities: tuple[float, float, float] | None = None
    mass: float | None = None

    @property
    def key(self) -> str:
        """What identifies the answer."""
        return reply_key(self.setting, self.role, self.item, self.repeat)


def reply_key(setting: str, role: str, item: str, repeat: int) -> str:
    """Key of an answer."""
    return f"{setting}|{role}|{item}|{repeat}"


class CollectInfo(Record):
    """``collect.json``.

    Attributes:
        schema_version: of the folder.
        config: as given.
        plan_hash: of all that decides which answers are collected.
        model: facts of the model.
        judge: identity of the judge of the tables.
        features: SAE features that were chosen on the model, the most active first.
        fits: the fits that were used.
        versions: of the libraries that matter.
        notes: what the user should know.
        seconds: wall time by stage, of the session that finished it.
        counts: answers, and how many of them are unscored, by part.
        status: how far it is.
        created: UTC time, ISO 8601.
    """

    schema_version: int = SCHEMA_VERSION
    config: CollectConfig
    plan_hash: str
    model: dict[str, JsonValue] = {}
    judge: str = ""
    features: tuple[int, ...] = ()
    fits: tuple[FitRecord, ...] = ()
    versions: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = {}
    counts: dict[str, int] = {}
    status: Literal["planned", "answered", "complete"] = "planned"
    created: str
