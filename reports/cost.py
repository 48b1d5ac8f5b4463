"""What a run cost: tokens and seconds, and what steering added to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from valuebench_harness.harness.records import BASE
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.numbers import seconds
from valuebench_harness.reports.table import Cell, cells


@dataclass(frozen=True)
class Overhead:
    """Mean tokens of a dilemma's prompt and answer, unsteered and steered."""

    prompt: tuple[float, float]
    answer: tuple[float, float]


def overhead(run: Run) -> Overhead | None:
    """What steering adds to the tokens of a dilemma; ``None`` where nothing was steered."""
    asked = [s for s in run.samples.values() if run.documents[s.document].kind == "dilemma"]
    base = [s for s in asked if s.condition == BASE.id]
    steered = [s for s in asked if s.condition != BASE.id]
    if not base or not steered:
        return None
    return Overhead(
        prompt=(fmean(s.prompt_tokens for s in base), fmean(s.prompt_tokens for s in steered)),
        answer=(fmean(s.new_tokens for s in base), fmean(s.new_tokens for s in steered)),
    )


def cost_rows(run: Run) -> Iterator[tuple[Cell, ...]]:
    """Pairs of what and how much."""
    cost = run.results.cost
    yield cells("answers", f"{cost.answers:,}; {cost.prompt_tokens:,} tokens read, {cost.new_tokens:,} written")
    yield cells("time", _times(run))
    if run.info.fits:
        made = [f for f in run.info.fits if not f.cached]
        cached = f", {len(run.info.fits) - len(made)} from the cache" if len(made) < len(run.info.fits) else ""
        yield cells("fits", f"{len(run.info.fits)}{cached}; {seconds(cost.fit_seconds)} to make all of them")
    extra = overhead(run)
    if extra:
        (prompt, longer), (answer, wordier) = extra.prompt, extra.answer
        text = f"prompt {prompt:.0f} → {longer:.0f}, answer {answer:.1f} → {wordier:.1f}, without → with steering"
        yield cells("tokens a dilemma", text)
    if cost.judge_tokens:
        yield cells("judge", f"{cost.judge_tokens:,} tokens")


def _times(run: Run) -> str:
    cost, stages = run.results.cost, run.info.seconds
    parts = [f"{name} {seconds(stages[name])}" for name in ("load", "fit") if name in stages]
    rate = f" ({cost.answers / cost.generate_seconds:,.0f} a second)" if cost.generate_seconds > 0 else ""
    parts.append(f"answers {seconds(cost.generate_seconds)}{rate}")
    if "judge" in stages:
        parts.append(f"judge {seconds(stages['judge'])}")
    return ", ".join(parts) + "; what came from the cache cost none"
