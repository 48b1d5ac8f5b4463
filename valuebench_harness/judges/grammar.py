"""``mini``'s oracle: its answers are sentences of a grammar, so a parser knows what they say."""

from __future__ import annotations

from valuebench_harness.data.grammar.parse import parse_choice, parse_questionnaire
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.judges.base import JudgeItem, RuleJudge, Verdict


class Grammar(RuleJudge):
    """Parses strictly: an answer outside the grammar is broken, and picks no option."""

    name = "grammar"
    asks = frozenset({"csr", "fr", "stance"})

    @property
    def identity(self) -> str:
        """The version moves when the grammar does."""
        return f"{self.name}/1"

    def verdict(self, item: JudgeItem) -> Verdict:
        """Parses the answer as a choice between the options or as a questionnaire answer."""
        if item.asks == "stance":
            return self._stance(item)
        if item.options is None:
            return Verdict(None, "the item has no spelled-out options; use an LLM judge")
        assert item.favours in (0, 1)
        dilemma = Dilemma(
            id="-", value=item.value, scene="-", question=item.prompt, options=item.options, favours=item.favours
        )
        choice = parse_choice(item.answer, dilemma)
        if item.asks == "fr":
            return Verdict("fluent") if choice.valid else Verdict("broken", choice.why)
        if choice.option is None:
            return Verdict(None, choice.why)
        return Verdict("yes" if choice.option == item.favours else "no", choice.why)

    def _stance(self, item: JudgeItem) -> Verdict:
        parsed = parse_questionnaire(item.answer)
        return Verdict(parsed.answer, "" if parsed.answer else "outside the grammar")
