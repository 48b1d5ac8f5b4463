"""A submission is a run's folder. Before it counts, what can be checked of it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from valuebench_harness.errors import VharnessError
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.plan import make_plan
from valuebench_harness.harness.results import Results
from valuebench_harness.harness.run import Run, load_run
from valuebench_harness.harness.scoring import Scorer

MAX_UNSCORED = 0.01
"""Share of verdicts without a label above which a run is not ranked."""


def problems(folder: Path) -> list[str]:
    """Why a run does not count, each reason in words; empty where it does.

    Its answers are all there, its numbers follow from its answers and verdicts, its questions are those that
    its configuration asks today, and no question stands in what its method learned from.
    """
    try:
        run = load_run(folder)
        if run.info.status != "complete":
            return [f"it is not complete (status '{run.info.status}')"]
        return list(_problems(run))
    except VharnessError as error:
        return [str(error)]


def _problems(run: Run) -> Iterator[str]:
    config = run.info.config
    if not run.results.pooled:
        yield "nothing was steered"
        return
    if run.results.unscored_share > MAX_UNSCORED:
        yield f"{run.results.unscored_share:.1%} of its verdicts are unscored, more than {MAX_UNSCORED:.0%}"
    if recomputed(run).pooled != run.results.pooled:
        yield "its numbers do not follow from its answers and verdicts (metrics.json was changed)"
    plan = make_plan(config)
    if plan.data_hash != run.info.data_hash:
        yield "its questions are not those of this version's tasks"
    if plan.training != run.info.training:
        yield "its method's code or training texts are not those of this version"
    leaked = _leaked(run)
    if leaked:
        yield f"{len(leaked)} of its questions stand in the training texts (such as '{leaked[0]}')"


def recomputed(run: Run) -> Results:
    """The run's numbers, made anew from its answers and verdicts."""
    system = family_of(run.info.config).data.system
    scorer = Scorer(
        system=system.name,
        conditions=list(run.conditions.values()),
        documents=run.documents,
        samples=list(run.samples.values()),
        verdicts=run.store.verdicts(run.info.judge),
        angles={v.id: v.angle for v in system.values if v.angle is not None},
    )
    return scorer.results(judge=run.info.judge, fits=run.info.fits, generate_seconds=0.0)


def _leaked(run: Run) -> list[str]:
    """Ids of questions whose words stand in a training text of the values steered."""
    data = family_of(run.info.config).data
    controlled = run.info.config.context_controlled
    texts = []
    for value in {v for r in run.results.pooled for member in r.members for v in _ids(member)}:
        pairs = data.pairs(value, controlled=controlled)
        texts += [t for p in pairs for t in (p.positive, p.negative)]
    corpus = "\n".join(" ".join(t.lower().split()) for t in texts)
    return [d.id for d in run.documents.values() if " ".join(d.text.lower().split()) in corpus]


def _ids(member: str) -> list[str]:
    """The values of a member: one, or several with weights."""
    return [part.partition(":")[0] for part in member.split("+")]
