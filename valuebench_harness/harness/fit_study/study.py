"""Puts a fit's report together: the artifacts, what they were learned from, and what they point at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness import __version__
from valuebench_harness.harness.conditions import shipped_strength
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.fit_study.accuracy import layer_accuracy, size_ablation
from valuebench_harness.harness.fit_study.control import control_by_size
from valuebench_harness.harness.fit_study.directions import cosine_maps, decoded, directions
from valuebench_harness.harness.fit_study.gate_scores import gate_scores
from valuebench_harness.harness.fit_study.records import FitStudy, LayerAccuracy, RunRates, ValueFit, Words
from valuebench_harness.harness.fit_study.words import context_words
from valuebench_harness.harness.fitting import Fitter
from valuebench_harness.harness.plan import make_method
from valuebench_harness.harness.session import load_model
from valuebench_harness.harness.store import write_atomically
from valuebench_harness.steerers.registry import make_gate

if TYPE_CHECKING:
    from valuebench_harness.data.values import Value
    from valuebench_harness.harness.config import RunConfig
    from valuebench_harness.harness.family import Family
    from valuebench_harness.harness.fit_study.directions import Directions
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.gates.base import Gate

FILE = "fit.json"


def study_fit(
    config: RunConfig,
    artifacts: Sequence[Artifact],
    out: Path,
    runs: Sequence[RunRates],
    reporter: Reporter,
    *,
    control: bool = False,
) -> FitStudy:
    """Studies fitted artifacts and writes the numbers to ``fit.json``.

    Args:
        config: that they were fitted with.
        artifacts: one a value.
        out: folder to write to.
        runs: control success and fluency to be shown as well.
        reporter: shows progress.
        control: also fit on fewer pairs and measure control success at the shipped strength.

    Raises:
        UsageError: for a gate that cannot be fitted.
        IncompleteError: where the folder cannot be written.
    """
    family = family_of(config)
    steerer, _, gate_name = make_method(config)
    model = load_model(config)
    fitter = Fitter.of(config, family, model)
    gate = make_gate(gate_name, config.gate_settings)
    by_id = {a.meta.value: a for a in artifacts}
    values = around_the_circle([family.data.system.get(value) for value in by_id])
    found: list[ValueFit] = []
    pointing: list[Directions] = []
    with reporter.stage("study", len(values), "values") as advance:
        for value in values:
            artifact = by_id[value.id]
            pointing.append(directions(steerer, artifact, value))
            fit = _value_fit(value, artifact, fitter, gate, pointing[-1])
            if control:
                strength = shipped_strength(config.model, steerer, value.id)
                points = control_by_size(steerer, fitter, value.id, strength, config.layers)
                fit = fit.model_copy(update={"control": points})
            found.append(fit)
            advance()
    study = FitStudy(
        method=steerer.name,
        source=steerer.source,
        model=model.name,
        fingerprint=model.fingerprint,
        n_layers=model.n_layers,
        system=family.data.system.name,
        controlled=config.context_controlled,
        seed=config.seed,
        settings=steerer.settings.model_dump(mode="json"),
        gate=gate_name,
        values=tuple(found),
        groups=_groups(values),
        cosines=cosine_maps(pointing, [f.layers for f in found]),
        runs=tuple(runs),
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=_notes(found, gate),
    )
    write_atomically(out / FILE, study.model_dump_json(indent=1) + "\n")
    return study


def _value_fit(value: Value, artifact: Artifact, fitter: Fitter, gate: Gate[Any] | None, found: Directions) -> ValueFit:
    context = fitter.context(value.id)
    positive, negative = context.labelled_states()
    meta = artifact.meta
    accuracy = tuple(
        LayerAccuracy(
            layer=layer,
            rate=layer_accuracy(positive[:, layer], negative[:, layer], fitter.seed),
            own=meta.accuracy.get(layer),
            steered=layer in meta.layers,
        )
        for layer in range(meta.n_layers)
    )
    candidates = [a for a in accuracy if a.steered] or list(accuracy)
    best = max(candidates, key=lambda a: (a.rate.estimate or 0.0, -a.layer)).layer
    return ValueFit(
        value=value.id,
        seconds=meta.seconds,
        layers=meta.layers,
        n_pairs=len(context.pairs),
        accuracy=accuracy,
        size_layer=best,
        sizes=size_ablation(positive[:, best], negative[:, best], fitter.seed),
        words=_words(fitter.family, value.id, controlled=fitter.controlled),
        straightforward=_words(fitter.family, value.id, controlled=False)
        if fitter.controlled and fitter.family.data.has("pairs_straightforward", value.id)
        else None,
        tokens=decoded(fitter.model, found),
        gate=gate_scores(gate, fitter, value.id) if gate is not None else None,
    )


def _words(family: Family, value: str, *, controlled: bool) -> Words:
    pairs = family.data.pairs(value, controlled=controlled)
    return context_words([p.positive for p in pairs], [p.negative for p in pairs])


def around_the_circle(values: Sequence[Value]) -> list[Value]:
    """Values by their angle, begun where most groups stand together; as given where there is no circle."""
    if any(v.angle is None for v in values):
        return list(values)
    ordered = sorted(values, key=lambda v: v.angle or 0.0)
    turns = [ordered[i:] + ordered[:i] for i in range(len(ordered))]
    return max(turns, key=lambda turn: len(_groups(turn)), default=[])


def _groups(values: Sequence[Value]) -> tuple[tuple[str, int, int], ...]:
    """Runs of neighbouring values that share a group: the boxes of ConVA's Fig. 5."""
    names = dict.fromkeys(g for v in values for g in v.groups)
    found = []
    for name in names:
        places = [i for i, v in enumerate(values) if name in v.groups]
        if len(places) > 1 and places == list(range(places[0], places[-1] + 1)):
            found.append((name, places[0], places[-1]))
    return tuple(found)


def _notes(found: Sequence[ValueFit], gate: Gate[Any] | None) -> tuple[str, ...]:
    notes = []
    if all(f.tokens is None for f in found):
        notes.append("The method has no direction in the residual stream, so cosines and tokens are not shown.")
    if gate is None:
        notes.append("The method has no gate, so there are no gate scores.")
    elif all(f.gate is None for f in found):
        notes.append("No exam is at hand, so gate scores are not shown ('vharness data pull mmlu').")
    return tuple(notes)
