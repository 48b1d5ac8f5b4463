"""Numbers as reports write them: shares in percent, changes in points, never more certain than they are."""

from __future__ import annotations

from collections.abc import Sequence

from valuebench_harness.metrics.paired import Change
from valuebench_harness.metrics.rates import Rate

NONE = "-"
"""Where there is no number."""

NO_ITEM = "no item scored on both sides"
"""Why there is no change."""


def percent(share: float | None, *, sign: bool = True) -> str:
    """A share as whole percent; only exact ones read 0% and 100%."""
    if share is None:
        return NONE
    mark = "%" if sign else ""
    whole = round(share * 100)
    if whole == 0 and share > 0:
        return f"<1{mark}"
    if whole == 100 and share < 1:
        return f">99{mark}"
    return f"{whole}{mark}"


def points(difference: float | None) -> str:
    """A difference of two shares as whole points with its sign."""
    if difference is None:
        return NONE
    whole = round(difference * 100)
    return f"{whole:+d}" if whole else "0"


def p_text(p: float | None) -> str:
    """A p-value to two significant places; what is below 0.05 never reads as 0.05."""
    if p is None:
        return NONE
    if p < 0.001:
        return "<.001"
    text = f"{p:.2g}".lstrip("0")
    return "<.05" if text == ".05" and p < 0.05 else text


def arrow(before: float | None, after: float | None, *, sign: bool = False) -> str:
    """``38 → 92``"""
    return f"{percent(before, sign=sign)} → {percent(after, sign=sign)}"


def rate_interval(rate: Rate) -> str:
    """``88..94``, the 95% interval in percent."""
    if rate.low is None or rate.high is None:
        return NONE
    return f"{round(rate.low * 100)}..{round(rate.high * 100)}"


def counted(number: int, noun: str) -> str:
    """``1 item``, ``1,200 items``"""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def on_fewer(change: Change, *rates: Rate) -> bool:
    """Whether a change rests on fewer answers than the rates beside it, so that it need not be their difference.

    Rates count all answers that are scored, a change the items that are scored on both sides.
    """
    return any(rate.clusters > change.n or (rate.unscored and rate.n > rate.clusters) for rate in rates)


def change_in_words(change: Change, *rates: Rate) -> str:
    """``+53 points, 95% interval +48 to +58``; of how many items, where that is fewer than the rates beside it are of.

    Args:
        change: of a rate.
        rates: told beside it, if any.
    """
    if change.estimate is None:
        return NO_ITEM
    return f"{points(change.estimate)} points{of_items(change, *rates)}, 95% interval {_ends(change)}"


def of_items(change: Change, *rates: Rate) -> str:
    """`` on the 23 items scored on both sides``, where that is fewer than the rates beside it are of; else empty."""
    return f" on the {counted(change.n, 'item')} scored on both sides" if on_fewer(change, *rates) else ""


def _ends(change: Change) -> str:
    return f"{points(change.low)} to {points(change.high)}"


def seconds(duration: float) -> str:
    """``0.4 s``, ``31 s``, ``4 min 5 s``, ``2 h 7 min``"""
    if duration < 10:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def ranges(numbers: Sequence[int]) -> str:
    """``1-3, 7`` for rising numbers."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else f"{p[0]}" for p in parts)
