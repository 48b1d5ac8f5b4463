"""Runs the conformance suite on one steerer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from valuebench_harness import __version__
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.check.foreign import in_words, own_frames
from valuebench_harness.harness.check.outcome import CheckRecord, Conformance, Outcome, failed, not_applicable
from valuebench_harness.harness.check.registry import CHECKS, Check
from valuebench_harness.harness.check.stored import keep
from valuebench_harness.harness.check.subject import BrokenSteererError, Subject
from valuebench_harness.harness.family import family_of

if TYPE_CHECKING:
    from valuebench_harness.harness.config import RunConfig
    from valuebench_harness.harness.progress import Reporter

AS_SHIPPED = frozenset({"model", "steerer", "values"})
"""Keys beside which a finding holds for the steerer as it is, and is kept."""

FIRST = ("fit", "plan")
"""What breaks here leaves nothing to look at."""


def check_steerer(config: RunConfig, reporter: Reporter) -> Conformance:
    """Checks a steerer on a model, for one value.

    Args:
        config: names the model, the steerer and its settings; of values and strengths the first is taken.
        reporter: shows progress.

    Returns:
        What every check found. Code of the steerer that raises fails the check that called it.

    Raises:
        UsageError: for bad input, such as a model that is not there, or a method that says that it cannot be
            fitted or cannot steer in this direction.
    """
    subject = Subject(config, family_of(config))
    records: list[CheckRecord] = []
    with reporter.stage("check", len(CHECKS), "checks") as advance:
        broken = ""
        for check in CHECKS:
            try:
                outcome = not_applicable(f"not run: see '{broken}'") if broken else _run(check, subject)
            except BrokenSteererError as error:
                outcome = Outcome(status="failed", words=str(error), frames=error.frames)
                broken = check.name if check.name in FIRST else ""
            records.append(CheckRecord(check=check.name, asks=check.asks, **outcome.model_dump()))
            advance()
    found = Conformance(
        steerer=config.steerer,
        model=subject.model.name,
        fingerprint=subject.model.fingerprint,
        value=subject.value.id,
        direction=subject.direction,
        strength=subject.strength,
        settings=subject.steerer.settings.model_dump(mode="json"),
        layers=() if broken else subject.layers,
        version=__version__,
        checked=datetime.now(UTC).isoformat(timespec="seconds"),
        checks=tuple(records),
    )
    if config.model_fields_set <= AS_SHIPPED:
        keep(found, type(subject.steerer))
    return found


def _run(check: Check, subject: Subject) -> Outcome:
    try:
        return check.run(subject)
    except BrokenSteererError:
        raise
    except UsageError as error:
        if check.name in FIRST:
            raise
        return failed(str(error))
    except Exception as error:
        # Whatever breaks here, a kind of intervention or the engine under a strange plan, the steerer does not pass.
        words = f"raised {in_words(error)}"
        return Outcome(status="failed", words=words, frames=own_frames(error, type(subject.steerer)))
