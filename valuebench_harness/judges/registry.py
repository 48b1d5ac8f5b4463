"""Judges by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from valuebench_harness.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from valuebench_harness.judges.base import Judge

JUDGES = ("grammar", "hf", "human", "openai", "option-match", "reference-lm")

S = TypeVar("S", bound=BaseModel)


def make_judge(name: str, settings: Mapping[str, Any] | None = None) -> Judge:
    """A judge by name; several joined with ``+`` are one (:mod:`.combined`).

    Args:
        name: such as ``openai`` or ``option-match+reference-lm``.
        settings: of the judge; of several, with the judge's name before a dot: ``reference-lm.model``.

    Raises:
        UsageError: for an unknown name or setting.
    """
    parts = [part.strip().lower() for part in name.split("+")]
    for part in parts:
        if part not in JUDGES:
            raise unknown_name("judge", part or name, JUDGES)
    if len(parts) == 1:
        return _MAKERS[parts[0]](dict(settings or {}))
    from valuebench_harness.judges.combined import Combined

    shares = _shares(name, parts, settings or {})
    return Combined([_MAKERS[part](shares[part]) for part in parts])


def _shares(name: str, parts: list[str], settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    if len(set(parts)) < len(parts):
        raise UsageError(f"The judge '{name}' names one part twice.")
    shares: dict[str, dict[str, Any]] = {part: {} for part in parts}
    for key, value in settings.items():
        part, dot, rest = key.partition(".")
        if not dot or part not in shares:
            raise UsageError(
                f"Setting '{key}': the judge '{name}' has several parts, so say which: {', '.join(parts)} and a dot."
            )
        shares[part][rest] = value
    return shares


def _settings(kind: type[S], judge: str, given: dict[str, Any]) -> S:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        what = "is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        raise UsageError(f"Setting '{'.'.join(map(str, first['loc']))}' of the {judge} judge: {what}.") from error


def _grammar(given: dict[str, Any]) -> Judge:
    from valuebench_harness.judges.grammar import Grammar

    _none("grammar", given)
    return Grammar()


def _option_match(given: dict[str, Any]) -> Judge:
    from valuebench_harness.judges.option_match import OptionMatch

    _none("option-match", given)
    return OptionMatch()


def _none(judge: str, given: dict[str, Any]) -> None:
    if given:
        raise UsageError(f"The judge '{judge}' has no settings (got {', '.join(given)}).")


def _openai(given: dict[str, Any]) -> Judge:
    from valuebench_harness.judges.openai import OpenAIJudge, OpenAISettings

    return OpenAIJudge(_settings(OpenAISettings, "openai", given))


def _hf(given: dict[str, Any]) -> Judge:
    from valuebench_harness.judges.hf import HFJudge, HFSettings

    return HFJudge(_settings(HFSettings, "hf", given))


def _reference_lm(given: dict[str, Any]) -> Judge:
    from valuebench_harness.judges.reference_lm import ReferenceLM, ReferenceSettings

    return ReferenceLM(_settings(ReferenceSettings, "reference-lm", given))


def _human(given: dict[str, Any]) -> Judge:
    from valuebench_harness.judges.human import Human, HumanSettings

    return Human(_settings(HumanSettings, "human", given))


_MAKERS: dict[str, Callable[[dict[str, Any]], Judge]] = {
    "grammar": _grammar,
    "hf": _hf,
    "human": _human,
    "openai": _openai,
    "option-match": _option_match,
    "reference-lm": _reference_lm,
}
