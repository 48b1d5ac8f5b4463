"""Observations made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from valuebench_harness.harness.compare.observations import Observations


def observed(
    outcomes: Mapping[str, Mapping[str, Sequence[float | None]]],
    *,
    judge: str = "grammar/1",
    revision: str = "aaa",
    words: str = "",
) -> Observations:
    """Observations with one question a document; ``words`` changes what was asked."""
    documents = {item.rpartition("|")[2] for items in outcomes.values() for item in items}
    return Observations(
        model="mini",
        revision=revision,
        identity={"steerer": "caa"},
        questions={d: f"{d}{words}" for d in documents},
        outcomes={m: {k: list(v) for k, v in items.items()} for m, items in outcomes.items()},
        judge=judge,
    )


def shares(hits: int, n: int, *, metric: str = "csr") -> dict[str, dict[str, list[float | None]]]:
    """The first ``hits`` of ``n`` items are hits."""
    return {metric: {f"+power|{i:03}": [float(i < hits)] for i in range(n)}}
