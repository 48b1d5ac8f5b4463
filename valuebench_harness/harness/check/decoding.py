"""Decoding with kept keys and values is the same as computing all anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from valuebench_harness.engine.plan import EMPTY
from valuebench_harness.harness.check.observe import Row, distance, observe, observe_cached
from valuebench_harness.harness.check.outcome import Outcome, failed, not_applicable, passed

if TYPE_CHECKING:
    from valuebench_harness.harness.check.subject import Subject


def check_decoding(subject: Subject) -> Outcome:
    """States and logits of an answer fed token by token equal those of one pass over prompt and answer.

    Also for a prompt of a single token, whose first pass looks like a decode step.
    A fault looks like this: steered only where several tokens come at once; steered in the first pass only;
    prompt and answer told apart by the length of a pass.
    """
    if not subject.acts_inside:
        return not_applicable("it rewrites the prompt only; the engine runs it as an unsteered row")
    rows = [*subject.rows[::2], _one_token_prompt(subject.rows[0])]
    worst = 0.0
    for row in rows:
        n_prompt = len(row.ids) - row.n_generated
        whole, cached = observe(subject.model, [row])[0], observe_cached(subject.model, row)
        plain = row.under(EMPTY)
        noise = distance(observe_cached(subject.model, plain).states, observe(subject.model, [plain])[0].states)
        gaps = (cached.states - whole.states).norm(dim=-1) / whole.states.norm(dim=-1).clamp_min(1e-12)
        gap = float(gaps.max()) if bool(torch.isfinite(gaps).all()) else float("inf")
        worst = max(worst, gap)
        if gap > max(subject.tolerance, 20 * noise):
            token = int(gaps.amax(dim=1).argmax())
            part = f"answer token {token - n_prompt + 1}" if token >= n_prompt else f"prompt token {token + 1}"
            return failed(
                f"{part} differs by {gap:.2g} of its norm from the recomputed one (prompt of {n_prompt} tokens); "
                f"without steering {noise:.2g}",
                gap=gap,
                noise=noise,
            )
    return passed(f"{len(rows)} answers of {rows[0].n_generated} tokens agree to {worst:.1g} of their norm", gap=worst)


def _one_token_prompt(row: Row) -> Row:
    start = len(row.ids) - row.n_generated
    return Row((row.ids[start - 1], *row.ids[start:]), row.n_generated, row.plan)
