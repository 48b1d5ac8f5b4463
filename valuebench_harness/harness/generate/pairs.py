"""Contrastive pairs by ConVA's procedure (Jin et al., ACL 2025, Section 3.1 and Appendix B), in four steps.

1. *Situations*: the paper asks each prompt for "a wide variety of themes"; asked for first, they can be told apart.
2. *Positive*: texts that promote the value, in four forms of equal number: first or third person, sentence or question.
3. *Negative*: to each positive text its counterpart, with person, scene and grammar kept.
4. *Check*: the model is shown both without their labels and must tell the sides; the paper looked through them by hand.

The straightforward twin (Appendix A) asks for texts for and against the value that know nothing of each other; it has
no situations, no counterparts and no check. It is what the procedure above is compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from valuebench_harness.data.checks import MIN_CONTROLLED_OVERLAP, shared_word_rate
from valuebench_harness.data.schemas import ContrastivePair, PairForm
from valuebench_harness.harness.generate.ask import Asker
from valuebench_harness.harness.generate.parse import NumberedText, Text, read_entries, read_numbered
from valuebench_harness.harness.generate.prompts import Prompts
from valuebench_harness.harness.generate.recipe import CHUNK, MOST_KNOWN, Recipe, batches
from valuebench_harness.harness.generate.records import Step
from valuebench_harness.harness.generate.screen import FORMS, Seen, form_fault

SIDES: tuple[Literal["positive", "negative"], ...] = ("positive", "negative")


@dataclass(frozen=True)
class _Draft:
    """What a request writes a text for: a situation, or a positive text."""

    form: PairForm
    text: str


def share(n: int) -> dict[PairForm, int]:
    """``n`` pairs over the four forms, as evenly as they go."""
    return {form: n // 4 + (place < n % 4) for place, form in enumerate(FORMS)}


class ControlledPairs(Recipe):
    """Context-controlled pairs."""

    def __init__(self, prompts: Prompts, asker: Asker, wanted: int) -> None:
        super().__init__(prompts, asker, wanted)
        self._share = share(wanted)
        self._pairs: dict[PairForm, list[tuple[str, str]]] = {form: [] for form in FORMS}
        self._seen = Seen()

    @property
    def missing(self) -> int:
        """Number of pairs still to be made."""
        return sum(self._missing(form) for form in FORMS)

    def items(self) -> list[ContrastivePair]:
        """The pairs, form by form."""
        return _numbered(self._pairs, self.prompts.value.id, "g")

    def round(self, turn: int) -> None:
        """All four steps for what is missing."""
        forms = [form for form in FORMS for _ in range(self._missing(form))]
        situations = self.new_situations(len(forms), turn)
        drafts = [_Draft(form, s.situation) for form, s in zip(forms, situations, strict=False)]
        positives = [_Draft(draft.form, text) for draft, text in self._write("positive", drafts, turn)]
        pairs = list(self._write("negative", positives, turn))
        faults = self.check([(positive.text, negative) for positive, negative in pairs])
        for (positive, negative), fault in zip(pairs, faults, strict=True):
            if fault:
                self.reject("check", fault, positive.text, negative, form=positive.form)
            else:
                self._pairs[positive.form].append((positive.text, negative))

    def _missing(self, form: PairForm) -> int:
        return self._share[form] - len(self._pairs[form])

    def _write(
        self, step: Literal["positive", "negative"], drafts: Sequence[_Draft], turn: int
    ) -> Iterator[tuple[_Draft, str]]:
        """Texts that may go on to the next step, each with what it was written for."""
        groups = [group for form in FORMS for group in batches([draft for draft in drafts if draft.form == form])]
        prompts = [self._prompt(step, group) for group in groups]
        for group, reply in zip(groups, self.asker.ask(step, prompts, turn), strict=True):
            for draft, entry in zip(group, read_numbered(reply, NumberedText, len(group)), strict=True):
                if isinstance(entry, str):
                    self.reject(step, entry, draft.text, form=draft.form)
                elif fault := self._fault(step, draft, entry.text):
                    self.reject(step, fault, draft.text, entry.text, form=draft.form)
                else:
                    self._seen.add(entry.text)
                    yield draft, entry.text

    def _prompt(self, step: Literal["positive", "negative"], group: Sequence[_Draft]) -> str:
        words = FORMS[group[0].form]
        field = "situation" if step == "positive" else "text"
        entries = [{"number": number, field: draft.text} for number, draft in enumerate(group, 1)]
        return self.prompts.fill(f"{step}.txt", form=words.name, form_rule=words.rule, **{f"{field}s": entries})

    def _fault(self, step: Step, draft: _Draft, text: str) -> str:
        if fault := form_fault(text, draft.form):
            return fault
        nearest = self._seen.repeated(text)
        if step == "positive":
            return f"it repeats {nearest!r}" if nearest else ""
        if text == draft.text:
            return "it is the positive text"
        if nearest and nearest != draft.text and Seen([draft.text]).repeated(text) == "":
            return f"it repeats {nearest!r}"
        shared = shared_word_rate(
            ContrastivePair(id="-", value="-", form=draft.form, positive=draft.text, negative=text)
        )
        if shared < MIN_CONTROLLED_OVERLAP:
            return (
                f"the context is not controlled: {shared:.0%} of the words are kept, under {MIN_CONTROLLED_OVERLAP:.0%}"
            )
        return ""


class StraightforwardPairs(Recipe):
    """Texts for and against a value, paired by number alone."""

    def __init__(self, prompts: Prompts, asker: Asker, wanted: int) -> None:
        super().__init__(prompts, asker, wanted)
        self._share = share(wanted)
        self._texts: dict[tuple[PairForm, str], list[str]] = {(form, side): [] for form in FORMS for side in SIDES}
        self._seen = Seen()

    @property
    def missing(self) -> int:
        """Number of pairs still to be made."""
        return sum(max(self._missing(form, side) for side in SIDES) for form in FORMS)

    def items(self) -> list[ContrastivePair]:
        """The pairs, form by form."""
        pairs = {
            form: list(zip(*(self._texts[form, side] for side in SIDES), strict=False))  # a side may have more
            for form in FORMS
        }
        return _numbered(pairs, self.prompts.value.id, "gs")

    def round(self, turn: int) -> None:
        """Asks for what is missing of each form and side, a chunk at a time, so that a chunk knows those before it."""
        most = max(self._missing(form, side) for form in FORMS for side in SIDES)
        for _ in range(ceil(most / CHUNK)):
            self._chunk(turn)

    def _chunk(self, turn: int) -> None:
        asked = [
            (form, side, min(CHUNK, self._missing(form, side)))
            for form in FORMS
            for side in SIDES
            if self._missing(form, side)
        ]
        prompts = [
            self.prompts.fill(
                "straightforward.txt",
                n=n,
                form=FORMS[form].name,
                form_rule=FORMS[form].rule,
                side=side,
                known=self._texts[form, side][-MOST_KNOWN:],
            )
            for form, side, n in asked
        ]
        for (form, side, _), reply in zip(asked, self.asker.ask("texts", prompts, turn), strict=True):
            for entry in read_entries(reply, Text):
                if isinstance(entry, str):
                    self.reject("texts", entry, form=form)
                elif fault := form_fault(entry.text, form):
                    self.reject("texts", fault, entry.text, form=form)
                elif nearest := self._seen.repeated(entry.text):
                    self.reject("texts", f"it repeats {nearest!r}", entry.text, form=form)
                elif self._missing(form, side) == 0:
                    self.reject("texts", "more came than were asked for", entry.text, form=form)
                else:
                    self._seen.add(entry.text)
                    self._texts[form, side].append(entry.text)

    def _missing(self, form: PairForm, side: str) -> int:
        return self._share[form] - len(self._texts[form, side])


def _numbered(pairs: dict[PairForm, list[tuple[str, str]]], value: str, mark: str) -> list[ContrastivePair]:
    in_order = [(form, positive, negative) for form in FORMS for positive, negative in pairs[form]]
    return [
        ContrastivePair(id=f"{value}-{mark}{number:03}", value=value, form=form, positive=positive, negative=negative)
        for number, (form, positive, negative) in enumerate(in_order, 1)
    ]
