"""What steering costs beside the unsteered model: reported, never failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.engine.rows import GenerationRow
from valuebench_harness.harness.check.outcome import Outcome, reported

if TYPE_CHECKING:
    from valuebench_harness.harness.check.subject import Subject

NEW_TOKENS = 16
REPEATS = 3


def check_cost(subject: Subject) -> Outcome:
    """Forward passes, prompt tokens and time of answers, steered against unsteered.

    Nothing here is a fault; a method that takes several passes or a long prompt shows.
    """
    steered = [subject.plan(messages) for messages in subject.prompts]
    base_rows = [_row(subject, subject.model.render(messages), EMPTY) for messages in subject.prompts]
    rows = [_row(subject, subject.model.render(s.messages), s.plan) for s in steered]
    (base_time, base_passes), (time_, passes) = _run(subject, base_rows), _run(subject, rows)
    tokens = [sum(len(subject.row(m).ids) for m in prompts) for prompts in
              (subject.prompts, [s.messages for s in steered])]  # fmt: skip
    ratio, prompt = time_ / base_time, tokens[1] / tokens[0]
    fit = subject.learned.seconds if subject.learns else 0.0
    words = f"{ratio:.2f} x the time a pass, {prompt:.2f} x the prompt tokens"
    words += f"; {fit:.1f} s to fit a value" if subject.learns else "; nothing to fit"
    return reported(
        words, time_ratio=ratio, prompt_ratio=prompt, passes=passes, base_passes=base_passes, fit_seconds=fit
    )


def _row(subject: Subject, prompt: str, plan: SteerPlan) -> GenerationRow:
    return GenerationRow(prompt, plan, max_new_tokens=NEW_TOKENS, special=not subject.model.has_chat_template)


def _run(subject: Subject, rows: Sequence[GenerationRow]) -> tuple[float, int]:
    """Seconds a forward pass (median of some runs), and how many passes one run takes."""
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    handle = subject.model.model.register_forward_pre_hook(count)
    times = []
    try:
        for _ in range(REPEATS):
            passes, start = 0, time.perf_counter()
            list(subject.model.generate(rows, batch_size=len(rows)))
            times.append((time.perf_counter() - start) / max(passes, 1))
    finally:
        handle.remove()
    return median(times), passes
