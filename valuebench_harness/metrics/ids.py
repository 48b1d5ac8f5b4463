"""The metrics by the ids that reports, expectations and baselines use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricInfo:
    """What a reader needs to know of a metric."""

    title: str
    higher_is_better: bool
    meaning: str


METRICS = {
    "csr": MetricInfo("CSR", True, "answers on the side aimed at, of the scored answers"),
    "fr": MetricInfo("FR", True, "fluent answers, of the scored answers"),
    "success": MetricInfo("on side + fluent", True, "answers on the side aimed at and fluent, of all answers"),
    "exam": MetricInfo("exam", True, "right answers in the four-choice exam"),
    "consistency": MetricInfo("consistency", True, "questionnaire changes that go the way aimed at, of all changes"),
    "side_effects": MetricInfo("side effects", False, "root mean square change of the values not aimed at"),
}
