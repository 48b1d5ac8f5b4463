"""From runs to boards: one for each model and set of questions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.compare.observations import Outcomes, observe
from valuebench_harness.harness.leaderboard.entry import BASE, Entry, base_entry, entry_of
from valuebench_harness.harness.leaderboard.ranking import ALPHA, front, ranks
from valuebench_harness.harness.leaderboard.verify import problems
from valuebench_harness.harness.records import Record
from valuebench_harness.harness.run import Run, load_run
from valuebench_harness.metrics.rates import Rate

LEADERBOARD_SCHEMA = 1
RANKED_BY = "success"
_FURTHER = re.compile(r"#\d+$")
"""Ends the condition of a strength that is not the run's first."""
FIXED = frozenset({"shipped", "given"})
"""Strengths that are the same on every machine; those that are chosen on answers may differ with the last digit."""


class Ranked(Record):
    """An entry with its place.

    Attributes:
        entry: of the run.
        rank: one more than the number of methods shown to be better; ties share it.
        on_front: no other method has as much effect with less damage.
    """

    entry: Entry
    rank: int
    on_front: bool


class Board(Record):
    """Methods on one model and the same questions.

    Attributes:
        model: that was steered.
        revision: of it.
        values: steered.
        direction: towards them or away from them.
        items: digest of the questions.
        rows: methods, best first, the unsteered model among them.
    """

    model: str
    revision: str
    values: tuple[str, ...]
    direction: str
    items: str
    rows: tuple[Ranked, ...]


class Refused(Record):
    """A run that does not count, and why."""

    run: str
    reasons: tuple[str, ...]


class Leaderboard(Record):
    """All boards, and what was refused."""

    schema_version: int = LEADERBOARD_SCHEMA
    ranked_by: str = RANKED_BY
    alpha: float = ALPHA
    boards: tuple[Board, ...]
    refused: tuple[Refused, ...] = ()


def make_leaderboard(folders: Sequence[Path]) -> Leaderboard:
    """Checks runs and ranks those that count.

    Raises:
        UsageError: where no run counts, or two are of the same method.
    """
    groups: dict[tuple[str, str, tuple[str, ...], str, str], list[Run]] = defaultdict(list)
    refused = []
    for folder in folders:
        reasons = problems(folder)
        if reasons:
            refused.append(Refused(run=folder.name, reasons=tuple(reasons)))
            continue
        run = load_run(folder)
        entry = entry_of(run)
        groups[entry.model, entry.revision, entry.values, entry.direction, entry.items].append(run)
    if not groups:
        raise UsageError(
            "No run counts: " + ("; ".join(f"{r.run}: {r.reasons[0]}" for r in refused) or "none was given") + "."
        )
    boards = [_board(runs) for _, runs in sorted(groups.items(), key=lambda g: (g[0][0], -len(g[1]), g[0]))]
    return Leaderboard(boards=tuple(boards), refused=tuple(refused))


def _board(runs: Sequence[Run]) -> Board:
    entries: dict[str, Entry] = {BASE: base_entry(runs[0])}
    outcomes: dict[str, Outcomes] = {BASE: observe(runs[0], base=True).outcomes[RANKED_BY]}
    for run in runs:
        entry = entry_of(run)
        if entry.method in entries:
            raise UsageError(
                f"Two runs are of '{entry.method}' on '{entry.model}', such as {run.folder}: leave one out."
            )
        entries[entry.method] = entry
        outcomes[entry.method] = _shown(observe(run).outcomes[RANKED_BY])
    head = entry_of(runs[0])
    return Board(
        model=head.model,
        revision=head.revision,
        values=head.values,
        direction=head.direction,
        items=head.items,
        rows=_rows(entries, outcomes),
    )


def _shown(outcomes: Outcomes) -> Outcomes:
    """Those of a run's first strength, which is the one that its row shows."""
    return {item: found for item, found in outcomes.items() if not _FURTHER.search(item.partition("|")[0])}


def _rows(entries: Mapping[str, Entry], outcomes: Mapping[str, Outcomes]) -> tuple[Ranked, ...]:
    places = ranks(outcomes)
    best = front([(e.success.estimate or 0.0, damage(e)) for e in entries.values()])
    rows = [
        Ranked(entry=entry, rank=places[method], on_front=on_front)
        for (method, entry), on_front in zip(entries.items(), best, strict=True)
    ]
    return tuple(sorted(rows, key=lambda r: (r.rank, -(r.entry.success.estimate or 0.0), r.entry.method)))


def damage(entry: Entry) -> float:
    """What a method costs elsewhere: side effects, and what the exam lost."""
    lost = max(0.0, -(entry.exam_change.estimate or 0.0)) if entry.exam_change else 0.0
    return (entry.side_effects or 0.0) + lost


def read_leaderboard(path: Path) -> Leaderboard:
    """Reads a stored leaderboard.

    Raises:
        UsageError: where there is none, or it is of another schema.
    """
    try:
        return Leaderboard.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"There is no leaderboard {path}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path} is no leaderboard: '{where}': {first['msg']}. Make it again.") from None


def stale(stored: Leaderboard, fresh: Leaderboard, *, tolerance: float) -> list[str]:
    """How a stored leaderboard differs from one made now, in words; empty where it is current.

    Methods, questions, model and fixed strengths must be the same, rates within ``tolerance``; times are not
    compared.
    """
    out = []
    if len(stored.boards) != len(fresh.boards):
        out.append(f"{len(fresh.boards)} boards instead of {len(stored.boards)}")
    for old, new in zip(stored.boards, fresh.boards, strict=False):
        out += [
            f"{new.model}: '{name}' is {getattr(new, name)!r}, stored {getattr(old, name)!r}"
            for name in ("model", "revision", "values", "direction", "items")
            if getattr(old, name) != getattr(new, name)
        ]
        before, after = ({r.entry.method: r for r in board.rows} for board in (old, new))
        out += [f"{new.model}: method '{m}' is new" for m in after.keys() - before.keys()]
        out += [f"{new.model}: method '{m}' is gone" for m in before.keys() - after.keys()]
        for method in before.keys() & after.keys():
            out += [f"{new.model}, {method}: {x}" for x in _moved(before[method].entry, after[method].entry, tolerance)]
    return sorted(out)


def _moved(old: Entry, new: Entry, tolerance: float) -> list[str]:
    out = []
    if old.chosen != new.chosen:
        out.append(f"its strengths are {new.chosen}, stored {old.chosen}")
    elif old.chosen in FIXED and old.strengths != new.strengths:
        out.append("its strengths changed")
    for name in ("csr", "fr", "success", "exam", "consistency", "side_effects"):
        a, b = (_number(getattr(entry, name)) for entry in (old, new))
        if (a is None) != (b is None) or (a is not None and b is not None and abs(a - b) > tolerance):
            out.append(f"{name} is {b if b is None else round(b, 3)}, stored {a if a is None else round(a, 3)}")
    return out


def _number(value: Rate | float | None) -> float | None:
    return value.estimate if isinstance(value, Rate) else value
