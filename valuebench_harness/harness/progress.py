"""Progress of long stages: a bar in a terminal, plain lines elsewhere, nothing when quiet. On stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

PLAIN_INTERVAL = 10.0
"""Seconds between two lines where there is no terminal."""


class Advance(Protocol):
    """Called with the number of steps done since the last call."""

    def __call__(self, steps: int = 1) -> None:
        """Counts steps that are done."""


class Reporter:
    """Shows stages.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def note(self, text: str) -> None:
        """A line that the user should see."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """A stage of ``total`` steps; shows rate and time left."""
        if self.quiet or total == 0:
            yield lambda _steps=1: None
        elif sys.stderr.isatty():
            yield from self._bar(name, total, unit)
        else:
            yield from self._lines(name, total, unit)

    def _bar(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit + " {task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        start, done = time.monotonic(), 0
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(name, total=total, rate="")

            def advance(steps: int = 1) -> None:
                nonlocal done
                done += steps
                rate = done / max(time.monotonic() - start, 1e-9)
                progress.update(task, advance=steps, rate=f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s")

            yield advance

    def _lines(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        start = shown = time.monotonic()
        done = 0

        def advance(steps: int = 1) -> None:
            nonlocal done, shown
            done += steps
            now = time.monotonic()
            if now - shown >= PLAIN_INTERVAL:
                shown = now
                left = (now - start) / done * (total - done)
                self.note(f"{name}: {done}/{total} {unit}, {done / (now - start):.1f}/s, {left:.0f} s left")

        yield advance
        self.note(f"{name}: {done}/{total} {unit} in {time.monotonic() - start:.1f} s")
