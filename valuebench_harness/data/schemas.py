"""The items a value harness reads, as frozen, validated records.

One JSON object a line (JSONL) on disk; the same schemas hold the natural English set,
the grammar-made twins for ``mini`` and a user's own folder.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PairForm = Literal["first-sentence", "first-question", "third-sentence", "third-question"]
"""ConVA's four forms of a training text: {first, third} person x {sentence, question}
(Jin et al., ACL 2025, Appendix B)."""


class Item(BaseModel):
    """What all records share."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: str = Field(min_length=1, description="unique within its file")
    value: str = Field(min_length=1, description="id of the value, such as 'self-direction'")


class Dilemma(Item):
    """An open question in which a person could act for a value or against it.

    Attributes:
        scene: the kind of scene, such as ``workplace``; reports break rates down by it.
        question: what the model is asked.
        options: the two acts, spelled out, in the order in which the question brings them up.
        favours: index of the option that acts for the value.
        yes: for a yes/no question, the index of the option that a bare "yes" affirms;
            ``None`` where the question offers two alternatives.
        split: ``test`` items are reported on; ``select`` items may be tuned on.
    """

    scene: str = Field(min_length=1)
    question: str = Field(min_length=1)
    options: tuple[str, str]
    favours: Literal[0, 1]
    yes: Literal[0, 1] | None = None
    split: Literal["test", "select"] = "test"

    @model_validator(mode="after")
    def _two_different_options(self) -> Dilemma:
        if not all(self.options) or self.options[0].lower() == self.options[1].lower():
            raise ValueError("the two options must be non-empty and differ")
        return self


class ContrastivePair(Item):
    """A text that shows a value and one that shows its opposite.

    Attributes:
        form: one of ConVA's four forms.
        positive: text that promotes the value.
        negative: text that resists it. In a context-controlled set it keeps the positive
            text's person, scene and sentence structure; in a straightforward set it is
            unrelated to it.
    """

    form: PairForm
    positive: str = Field(min_length=1)
    negative: str = Field(min_length=1)

    @model_validator(mode="after")
    def _texts_differ(self) -> ContrastivePair:
        if self.positive == self.negative:
            raise ValueError("positive and negative text are the same")
        return self


class QuestionnaireItem(Item):
    """A statement about oneself and the question it is asked as (ValueBench's form).

    Attributes:
        item: the statement in the first person.
        question: the statement as a yes/no question to the model.
        agreement: +1 where "yes" speaks for the value, -1 where it speaks against it.
    """

    item: str = Field(min_length=1)
    question: str = Field(min_length=1)
    agreement: Literal[1, -1]


class OpenQuestion(Item):
    """A question about what to do, without spelled-out options (ConVA's test files)."""

    question: str = Field(min_length=1)


class Demonstration(Item):
    """A prompt with an answer that acts for the value or against it: what fine-tuning learns from.

    Attributes:
        prompt: what is asked.
        answer: the whole answer.
        direction: ``positive`` for an answer that favours the value, ``negative`` for one that goes against it.
    """

    prompt: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    direction: Literal["positive", "negative"]


class Role(BaseModel):
    """A virtual person to answer as (Kang et al., ACL 2025): four fields, any of which may be left out.

    Attributes:
        name: such as ``Mara``.
        gender: such as ``woman``.
        job: such as ``nurse``.
        mbti: a Myers-Briggs type, such as ``INFP``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = ""
    gender: str = ""
    job: str = ""
    mbti: str = Field("", pattern=r"^([EI][NS][FT][JP])?$")

    @property
    def is_empty(self) -> bool:
        """Whether nobody is described: Kang's empty role, the model as itself."""
        return not (self.name or self.gender or self.job or self.mbti)


class ExamItem(BaseModel):
    """A four-choice question in MMLU's format; ``answer`` is the index of the right choice."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: str = Field(min_length=1)
    subject: str = Field(min_length=1)
    question: str = Field(min_length=1)
    choices: tuple[str, str, str, str]
    answer: Literal[0, 1, 2, 3]


class NeutralText(BaseModel):
    """A text that concerns no value: what a gate must leave alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
