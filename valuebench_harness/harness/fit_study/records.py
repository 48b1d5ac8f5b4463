"""The numbers of a fit's report, as they are stored in ``fit.json``; figures and pages are made from them alone."""

from __future__ import annotations

from valuebench_harness.harness.records import Record
from valuebench_harness.metrics.rates import Rate


class LayerAccuracy(Record):
    """How well a linear classifier tells the sides of the pairs apart at a layer.

    Attributes:
        layer: whose output it reads.
        rate: right texts, each judged by a classifier that saw no text of its pair.
        own: the method's own held-out accuracy there, where it has one.
        steered: whether the method steers this layer.
    """

    layer: int
    rate: Rate
    own: float | None
    steered: bool


class SizePoint(Record):
    """What comes of training on some of the pairs.

    Attributes:
        pairs: that trained.
        rate: right texts among pairs that never train, over several draws; or control success.
    """

    pairs: int
    rate: Rate


class Words(Record):
    """The most frequent context words of a set of pairs (ConVA's Table 2).

    Attributes:
        positive: among the most frequent of the positive texts only, most frequent first.
        negative: of the negative texts only.
        common: of both.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    common: tuple[str, ...]


class DecodedTokens(Record):
    """What a direction says through the model's unembedding (ConVA's Table 3).

    Attributes:
        layer: of the direction.
        towards: likeliest tokens of the direction.
        away: of its opposite.
    """

    layer: int
    towards: tuple[str, ...]
    away: tuple[str, ...]


class GateScores(Record):
    """What the gate says of prompts that concern the value and of those that do not (ConVA's Fig. 3).

    Attributes:
        related: scores of the value's dilemmas.
        unrelated: of exam questions.
        related_open: dilemmas that open it.
        unrelated_open: exam questions that do.
    """

    related: tuple[float, ...]
    unrelated: tuple[float, ...]
    related_open: Rate
    unrelated_open: Rate


class ValueFit(Record):
    """One value.

    Attributes:
        value: its id.
        seconds: that fitting took.
        layers: that are steered.
        n_pairs: training pairs.
        accuracy: by layer.
        size_layer: layer of the size ablation.
        sizes: accuracy by number of training pairs.
        control: control success by number of training pairs, where it was asked for.
        words: context words of the pairs that were trained on.
        straightforward: of the pairs made without context control, where there are such.
        tokens: that the direction decodes to; ``None`` where the method has no direction.
        gate: its scores; ``None`` without a gate.
    """

    value: str
    seconds: float
    layers: tuple[int, ...]
    n_pairs: int
    accuracy: tuple[LayerAccuracy, ...]
    size_layer: int
    sizes: tuple[SizePoint, ...]
    control: tuple[SizePoint, ...] = ()
    words: Words
    straightforward: Words | None
    tokens: DecodedTokens | None
    gate: GateScores | None


class CosineMap(Record):
    """Cosines between the values' directions at a layer (ConVA's Fig. 5 and 14).

    Attributes:
        layer: of the directions.
        steered_by: how many values are steered at this layer.
        cosines: ``[n_values, n_values]``, in the order of the report's values.
    """

    layer: int
    steered_by: int
    cosines: tuple[tuple[float, ...], ...]


class RunRates(Record):
    """Control success and fluency of a run, by value (ConVA's Fig. 2).

    Attributes:
        name: method and strength.
        csr: by value.
        fr: by value.
        seconds: of all answers, where the run was not taken from a cache.
        answers: of the run.
    """

    name: str
    csr: dict[str, Rate]
    fr: dict[str, Rate]
    seconds: float
    answers: int


class FitStudy(Record):
    """All that the report shows.

    Attributes:
        method: its name.
        source: its paper.
        model: its name.
        fingerprint: of the model.
        n_layers: of the model.
        system: value system.
        controlled: whether it was trained on context-controlled pairs.
        seed: of splits and draws.
        settings: of the method.
        gate: name of the gate.
        values: around the circle, where the system has one.
        groups: higher-order groups of neighbouring values, as ``(name, first, last)``.
        cosines: by layer; empty where the method has no directions or there is one value.
        runs: that were given.
        version: of this package.
        created: UTC, ISO 8601.
        notes: what is not shown and why.
    """

    method: str
    source: str
    model: str
    fingerprint: str
    n_layers: int
    system: str
    controlled: bool
    seed: int
    settings: dict[str, object]
    gate: str
    values: tuple[ValueFit, ...]
    groups: tuple[tuple[str, int, int], ...]
    cosines: tuple[CosineMap, ...]
    runs: tuple[RunRates, ...]
    version: str
    created: str
    notes: tuple[str, ...]
