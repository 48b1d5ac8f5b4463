"""Judges by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from valuebench_harness.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from valuebench_harness.judges.base import Judge

JUDGES = ("grammar", "openai", "option-match")


def make_judge(name: str, settings: dict[str, Any] | None = None) -> Judge:
    """A judge by name.

    Raises:
        UsageError: for an unknown name or setting.
    """
    key = name.lower()
    if key not in JUDGES:
        raise unknown_name("judge", name, JUDGES)
    if key == "openai":
        from valuebench_harness.judges.openai import OpenAIJudge, OpenAISettings

        try:
            return OpenAIJudge(OpenAISettings.model_validate(settings or {}))
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(
                f"Setting '{'.'.join(map(str, first['loc']))}' of the openai judge: {first['msg']}."
            ) from error
    if settings:
        raise UsageError(f"The judge '{key}' has no settings (got {', '.join(settings)}).")
    if key == "grammar":
        from valuebench_harness.judges.grammar import Grammar

        return Grammar()
    from valuebench_harness.judges.option_match import OptionMatch

    return OptionMatch()
