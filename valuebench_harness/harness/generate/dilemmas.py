"""Dilemmas with spelled-out options, in three steps: situations, questions with their two acts, check.

ConVA's own questions (Jin et al., ACL 2025, Section 4.1) name no options, so that only a judge can score an answer;
these do, so that the deterministic matcher can, and which act comes first is dealt out evenly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from valuebench_harness.data.checks import check_leakage, tells_apart
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.harness.generate.ask import Asker
from valuebench_harness.harness.generate.parse import NumberedDilemma, Situation, read_numbered
from valuebench_harness.harness.generate.prompts import Prompts
from valuebench_harness.harness.generate.recipe import Recipe, batches
from valuebench_harness.harness.generate.screen import Seen


class Dilemmas(Recipe):
    """Questions about two acts, one of which is for the value.

    Args:
        prompts: the wording, for one value.
        asker: sends them.
        wanted: number of dilemmas.
        training: texts that a dilemma must share nothing with.
    """

    def __init__(self, prompts: Prompts, asker: Asker, wanted: int, training: Sequence[str] = ()) -> None:
        super().__init__(prompts, asker, wanted)
        self._training = training
        self._accepted: list[Dilemma] = []
        self._seen = Seen()

    @property
    def missing(self) -> int:
        """Number of dilemmas still to be made."""
        return self.wanted - len(self._accepted)

    def items(self) -> list[Dilemma]:
        """The dilemmas, numbered."""
        value = self.prompts.value.id
        return [d.model_copy(update={"id": f"{value}-g{number:03}"}) for number, d in enumerate(self._accepted, 1)]

    def round(self, turn: int) -> None:
        """All three steps for what is missing."""
        sides = self._sides()
        situations = self.new_situations(len(sides), turn)
        drafts = list(self._write(list(zip(situations, sides, strict=False)), turn))
        faults = self.check([(d.options[d.favours], d.options[1 - d.favours]) for d in drafts])
        for dilemma, fault in zip(drafts, faults, strict=True):
            if fault:
                self.reject("check", fault, dilemma.question, *dilemma.options)
            else:
                self._accepted.append(dilemma)

    def _sides(self) -> list[int]:
        """Which option is to favour the value, mixed evenly, so that the set ends balanced whatever was rejected."""
        second = self.wanted // 2 - sum(d.favours == 1 for d in self._accepted)
        places = [((i + 0.5) / n, side) for side, n in ((0, self.missing - second), (1, second)) for i in range(n)]
        return [side for _, side in sorted(places)]

    def _write(self, drafts: Sequence[tuple[Situation, int]], turn: int) -> Iterator[Dilemma]:
        groups = list(batches(drafts))
        prompts = [self.prompts.fill("dilemmas.txt", situations=_entries(group)) for group in groups]
        for group, reply in zip(groups, self.asker.ask("dilemmas", prompts, turn), strict=True):
            for (situation, favours), entry in zip(
                group, read_numbered(reply, NumberedDilemma, len(group)), strict=True
            ):
                if isinstance(entry, str):
                    self.reject("dilemmas", entry, situation.situation)
                    continue
                made = self._dilemma(situation, favours, entry)
                if isinstance(made, str):
                    self.reject("dilemmas", made, entry.question, entry.favourable, entry.against)
                    continue
                self._seen.add(made.question)
                yield made

    def _dilemma(self, situation: Situation, favours: int, entry: NumberedDilemma) -> Dilemma | str:
        if not entry.question.endswith("?"):
            return "it does not end with a question mark"
        if entry.favourable.lower() == entry.against.lower():
            return "its two acts are the same"
        options = (entry.against, entry.favourable) if favours else (entry.favourable, entry.against)
        dilemma = Dilemma(
            id="draft",
            value=self.prompts.value.id,
            scene=situation.scene.lower(),
            question=entry.question,
            options=options,
            favours=1 if favours else 0,
        )
        if not tells_apart(dilemma):
            return "its two acts cannot be told apart by their words"
        if nearest := self._seen.repeated(dilemma.question):
            return f"it repeats {nearest!r}"
        if check_leakage(self._training, [dilemma.question]).level == "problem":
            return "it overlaps with a training text"
        return dilemma


def _entries(group: Sequence[tuple[Situation, int]]) -> list[dict[str, object]]:
    return [
        {"number": number, "situation": situation.situation, "first": "against" if favours else "for"}
        for number, (situation, favours) in enumerate(group, 1)
    ]
