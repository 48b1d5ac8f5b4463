"""A run's numbers as tests see them: floats that know what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property, partial
from itertools import islice
from math import isnan, sqrt
from typing import TYPE_CHECKING, Any

from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.harness.results import ConditionResult, Effect
from valuebench_harness.harness.run import Answer, Run
from valuebench_harness.metrics.ids import METRICS
from valuebench_harness.metrics.rates import Rate

if TYPE_CHECKING:
    from valuebench_harness.harness.results import Results

ALL = "all"
SAMPLES = 3
LINE = 160


class Measured(float):
    """A number with its evidence. An undefined one is ``nan``: no comparison with it holds.

    Attributes:
        title: what it is, such as ``csr[security]``.
        rate: its interval, n and unscored count, where it is a rate.
        failing: reads the answers that speak against it, as lines; they are looked for only when shown.
    """

    title: str
    rate: Rate | None
    failing: Callable[[], Iterator[str]]

    def __new__(
        cls,
        number: float | None,
        title: str,
        rate: Rate | None = None,
        failing: Callable[[], Iterator[str]] = lambda: iter(()),
    ) -> Measured:
        """Makes the number; ``None`` becomes ``nan``."""
        made = super().__new__(cls, float("nan") if number is None else number)
        made.title, made.rate, made.failing = title, rate, failing
        return made

    def __repr__(self) -> str:
        return f"{float(self):.4g}"

    def lines(self) -> list[str]:
        """What a failed assertion should say: the number, what it rests on, and answers that show why."""
        out = [f"{self.title} = {self.in_words()}"]
        failing = list(islice(self.failing(), 2 * SAMPLES))
        if failing:
            out += ["", "Answers that count against it:", *failing]
        return out

    def in_words(self) -> str:
        """The number with its interval, its n and what was not scored."""
        rate = self.rate
        if rate is None:
            return f"{float(self):.3f}"
        if rate.estimate is None or rate.low is None or rate.high is None:
            return f"undefined: none of {rate.unscored} answers was scored"
        return f"{rate.estimate:.3f} [{rate.low:.3f}, {rate.high:.3f}], n {rate.n}, {rate.unscored} unscored"


class ByValue(dict[str, Measured]):
    """A metric by value steered, and of all together under ``all``."""

    def __init__(self, metric: str, found: dict[str, Measured]) -> None:
        super().__init__(found)
        self._metric = metric

    def __missing__(self, value: str) -> Measured:
        """Says what there is instead."""
        if not self:
            raise UsageError(f"The run did not measure '{self._metric}'; check its 'tasks' and its steerer.")
        raise unknown_name(f"value of {self._metric}", value, self)


class MeasuredRun:
    """A finished run, for assertions.

    ``csr``, ``fr``, ``success``, ``exam`` (also called ``mmlu``), ``consistency`` and ``side_effects`` map
    each value that was steered, and ``all``, to a :class:`Measured` number.

    Args:
        run: the run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def results(self) -> Results:
        """All numbers of the run."""
        return self.run.results

    @property
    def csr(self) -> ByValue:
        """Answers on the side aimed at, of the scored ones."""
        return self._shares("csr", lambda r: r.csr, lambda a: a.aimed is False)

    @property
    def fr(self) -> ByValue:
        """Fluent answers, of the scored ones."""
        return self._shares("fr", lambda r: r.fr, lambda a: _fluent(a) is False)

    @property
    def success(self) -> ByValue:
        """Answers on the side aimed at and fluent, of all."""
        return self._shares("success", lambda r: r.success, lambda a: not (a.aimed and _fluent(a)))

    @property
    def exam(self) -> ByValue:
        """Right answers in the exam."""
        return self._shares(
            "exam", lambda r: r.exam.gated if r.exam else None, lambda a: a.sample.choice != a.document.answer
        )

    mmlu = exam

    @property
    def consistency(self) -> ByValue:
        """Questionnaire changes that go the way aimed at, of all changes."""
        found = {name: r.consistency.rate for name, r in self._conditions.items() if r.consistency}
        return ByValue("consistency", {n: Measured(r.estimate, f"consistency[{n!r}]", r) for n, r in found.items()})

    @property
    def side_effects(self) -> ByValue:
        """Root mean square change of the values not aimed at; lower is better."""
        found = {name: r.entanglement for name, r in self._conditions.items() if r.entanglement is not None}
        return ByValue("side_effects", {n: Measured(x, f"side_effects[{n!r}]") for n, x in found.items()})

    def side_effects_except(self, left_out: Collection[str]) -> Measured:
        """``side_effects['all']`` without the changes of some values, which were expected."""
        found = [
            change.estimate
            for name, result in self._conditions.items()
            if name != ALL
            for value, change in result.side_effects.items()
            if value not in result.condition.targets and value not in left_out and change.estimate is not None
        ]
        number = sqrt(sum(x * x for x in found) / len(found)) if found else None
        return Measured(number, f"side_effects except {', '.join(left_out)}")

    def facts(self) -> dict[str, Any]:
        """The pooled numbers, for tables and JUnit."""
        out: dict[str, Any] = {"key": self.run.folder.name}
        for name in METRICS:
            number = self.metric(name).get(ALL)
            if number is not None and not isnan(number):
                out[name] = float(number)
        return out

    def metric(self, name: str) -> ByValue:
        """A metric by its id."""
        found: ByValue = getattr(self, name)
        return found

    @cached_property
    def _conditions(self) -> dict[str, ConditionResult]:
        """First strength of each value, and all pooled."""
        found = {str(r.condition.value): r for r in self.results.conditions if r.condition.level == 0}
        pooled = next((r for r in self.results.pooled if r.condition.level == 0), None)
        return found | ({ALL: pooled} if pooled else {})

    def _shares(
        self, metric: str, effect: Callable[[ConditionResult], Effect | None], against: Callable[[Answer], bool]
    ) -> ByValue:
        found = {}
        for name, result in self._conditions.items():
            measured = effect(result)
            if measured is not None:
                found[name] = Measured(
                    measured.after.estimate,
                    f"{metric}[{name!r}]",
                    measured.after,
                    partial(self._failing, metric, name, against),
                )
        return ByValue(metric, found)

    def _failing(self, metric: str, name: str, against: Callable[[Answer], bool]) -> Iterator[str]:
        return (line for answer in self._answers(metric, name) if against(answer) for line in _shown(answer))

    def _answers(self, metric: str, name: str) -> Iterator[Answer]:
        for answer in self.run.answers():
            condition = answer.condition
            if condition.value is None or condition.is_twin or condition.level or name not in (ALL, condition.value):
                continue
            kind = answer.document.kind
            if kind == "exam" if metric == "exam" else kind == "dilemma" and answer.document.value in condition.targets:
                yield answer


def _fluent(answer: Answer) -> bool | None:
    verdict = answer.verdicts.get("fr")
    return None if verdict is None or verdict.label is None else verdict.label == "fluent"


def _shown(answer: Answer) -> list[str]:
    from valuebench_harness.reports.clean import one_line

    said = answer.sample.answer
    if answer.document.kind == "exam":
        choice = answer.sample.choice
        said = "no letter" if choice is None else answer.document.options[choice]
    return [f"  {one_line(answer.document.text, LINE)}", f"    > {one_line(said, LINE) or '(empty)'}"]
