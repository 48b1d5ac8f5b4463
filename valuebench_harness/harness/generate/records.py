"""What a generation writes down."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from valuebench_harness.harness.records import Record

_DETAILS = re.compile(r"[:'\"]")

Kind = Literal["pairs", "pairs_straightforward", "dilemmas"]
"""What is generated, by the names of the data set's folders."""

Step = Literal["situations", "positive", "negative", "texts", "dilemmas", "check", "reword"]


class Exchange(Record):
    """One request that was paid for, with its reply.

    Attributes:
        key: hash of all that determines the reply; a request with a known key is not sent again.
        step: of the procedure.
        prompt: as it was sent.
        reply: as it came.
        finish: the server's reason for the end, such as ``stop`` or ``length``.
        tokens: paid for, as the server counts them.
    """

    key: str
    step: Step
    prompt: str
    reply: str
    finish: str = ""
    tokens: int = 0


class Rejection(Record):
    """Something that a reply brought, or should have brought, and that did not become an item.

    Attributes:
        step: at which it fell.
        reason: in words.
        texts: what was rejected.
        form: of the pair it was meant for.
    """

    step: Step
    reason: str
    texts: tuple[str, ...] = ()
    form: str = ""


class GenerationInfo(Record):
    """How a set was made: ``generation.json``.

    Attributes:
        kind: of items.
        value: they are about.
        model: that wrote them.
        templates: digest of the wording of all prompts.
        version: of this package.
        seed: of the first round; each further round adds 1.
        wanted: number of items asked for.
        accepted: number of items written.
        rejected: number of rejections.
        requests: number of replies that the set rests on.
        tokens: paid for those.
    """

    kind: Kind
    value: str
    model: str
    templates: str
    version: str
    seed: int
    wanted: int
    accepted: int
    rejected: int
    requests: int
    tokens: int


class Rewording(Record):
    """A question in other words.

    Attributes:
        id: of the dilemma.
        text: what is asked instead; its options stay.
    """

    id: str
    text: str = Field(min_length=1)


class RewordingInfo(Record):
    """How questions were reworded: ``rewording.json``.

    Attributes:
        model: that wrote them.
        templates: digest of the wording of the prompt.
        version: of this package.
        seed: of the first round; each further round adds 1.
        wanted: number of questions.
        left_out: ids of those without an acceptable rewording.
        rejected: number of rejections.
        requests: number of replies that the rewordings rest on.
        tokens: paid for those.
    """

    model: str
    templates: str
    version: str
    seed: int
    wanted: int
    left_out: tuple[str, ...]
    rejected: int
    requests: int
    tokens: int


def counted_reasons(rejected: Iterable[Rejection]) -> list[tuple[str, int]]:
    """Rejections by step and reason, without the details that stand behind it; most frequent first."""
    return Counter(f"{r.step}: {re.split(_DETAILS, r.reason)[0].strip()}" for r in rejected).most_common()
