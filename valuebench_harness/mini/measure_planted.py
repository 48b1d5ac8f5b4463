"""Figures of the planted directions: dose and response, effects on the other values, linear probes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from safetensors import safe_open

from valuebench_harness.data.grammar import generate, scm
from valuebench_harness.data.grammar.acts import ACTS, VALUES
from valuebench_harness.data.grammar.appeal import appeal
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.rows import TextRow
from valuebench_harness.mini import weights_path, write_data
from valuebench_harness.mini.bench import Bench, always
from valuebench_harness.mini.figures import Figure, bootstrap, share

STRENGTHS = (-3.0, -1.5, 0.0, 1.5, 3.0)
EFFECT_STRENGTH = 2.0
CLEAR_EFFECT = 0.1
PROBE_TEXTS = 60
N_SEEN_ACTS = 9


@cache
def planted() -> tuple[dict[str, FrozenArray], int]:
    """The shipped directions, each as long as a shift of e by one, and the block to add them after."""
    with safe_open(weights_path() / "planted.safetensors", framework="numpy") as file:
        metadata = file.metadata()
        directions = file.get_tensor("directions") * float(metadata["scale"])
    return {v: FrozenArray(row) for v, row in zip(VALUES, directions, strict=True)}, int(metadata["block"])


def planted_plan(value: str, strength: float, block: int | None = None) -> SteerPlan:
    """Adds a planted direction at every token; strength is in units of e."""
    directions, default = planted()
    layer = default if block is None else block
    return SteerPlan((Intervention("add", layer, {"vector": directions[value]}, coefficient=strength),))


def dose_response(bench: Bench, dilemmas: Sequence[Dilemma]) -> Figure:
    """Favour rates at five strengths of each value's own direction against the planted truth."""
    rows: list[dict[str, Any]] = []
    gaps, lowest = [], 1.0
    for strength in STRENGTHS:
        answers = [bench.ask([d for d in dilemmas if d.value == v], always(planted_plan(v, strength))) for v in VALUES]
        rate = share([x for a in answers for x in a.favours])
        valid = share([x for a in answers for x in a.valid])
        truth = float(np.mean([_expected(d, scm.shift(d.value, strength)) for d in dilemmas]))
        gaps.append(abs(rate.estimate - truth))
        lowest = min(lowest, valid.estimate)
        rows.append({"strength": strength, "truth": truth, "favour": rate.model_dump(), "valid": valid.model_dump()})
    cells = ", ".join(f"{r['strength']:+g}: {r['favour']['estimate']:.2f} (truth {r['truth']:.2f})" for r in rows)
    return Figure(
        id="planted",
        property="planted direction, five strengths",
        goal="favour rate within .05 of the planted truth in the mean, valid >= 98%",
        trial="within .04",
        result=f"{cells}; mean gap {np.mean(gaps):.3f}, lowest valid {lowest:.3f}, n = {len(dilemmas)} a strength",
        met=float(np.mean(gaps)) <= 0.05 and lowest >= 0.98,
        data={"block": planted()[1], "strengths": rows},
    )


def effects(bench: Bench, dilemmas: Sequence[Dilemma]) -> Figure:
    """Effects of each value's direction, +2 against -2, on the choice probabilities of all values."""
    values = np.array([d.value for d in dilemmas])
    members = [np.flatnonzero(values == v) for v in VALUES]
    change = np.zeros((len(dilemmas), len(VALUES)))
    truth = np.zeros((len(VALUES), len(VALUES)))
    for i, cause in enumerate(VALUES):
        up, down = (
            bench.choice_probabilities(dilemmas, always(planted_plan(cause, s)))
            for s in (EFFECT_STRENGTH, -EFFECT_STRENGTH)
        )
        change[:, i] = up - down
        shift = scm.shift(cause, EFFECT_STRENGTH)
        exact = np.array([_expected(d, shift) - _expected(d, -shift) for d in dilemmas])
        truth[:, i] = [exact[rows].mean() for rows in members]
    own = np.eye(len(VALUES), dtype=bool)
    descendants = (scm.TOTAL_EFFECTS != 0) & ~own
    others = ~descendants & ~own
    clear = (np.abs(truth) > CLEAR_EFFECT) & ~own

    def matrix(draw: np.ndarray) -> np.ndarray:
        return np.stack([change[rows[draw % len(rows)]].mean(axis=0) for rows in members])

    n = min(map(len, members))
    measured = matrix(np.arange(n))
    correlation = bootstrap(n, lambda i: float(np.corrcoef(matrix(i)[~own], truth[~own])[0, 1]))
    leak = bootstrap(n, lambda i: float(np.abs(matrix(i)[others]).mean()))
    right = int((np.sign(measured) == np.sign(truth))[clear].sum())
    return Figure(
        id="effects",
        property="effects of steering each value on all others, against the planted truth",
        goal="correlation >= .95, sign right wherever the truth is above .1, "
        "mean absolute effect on non-descendants <= .05",
        trial=".965, 27 of 27, .055",
        result=f"{correlation.text()}, {right} of {clear.sum()}, {leak.text()}, n = {n} dilemmas a cell and sign",
        met=correlation.estimate >= 0.95 and right == int(clear.sum()) and leak.estimate <= 0.05,
        data={
            "values": list(VALUES),
            "about": "row: value asked about; column: value steered",
            "measured": measured.round(4).tolist(),
            "truth": truth.round(4).tolist(),
            "correlation": correlation.model_dump(),
            "non_descendants": leak.model_dump(),
        },
    )


def _expected(dilemma: Dilemma, shift: scm.FloatArray) -> float:
    """Planted favour rate of a dilemma at an exogenous shift."""
    return float(scm.expected_favour(shift, appeal(dilemma))[scm.INDEX[dilemma.value]])


def probes(bench: Bench) -> Figure:
    """Linear probes for each value and layer, trained on pairs, tested on texts about acts the pairs lack."""
    from valuebench_harness.steerers.probe import fit_probe

    layers = range(bench.model.n_layers)
    accuracy = np.zeros((len(VALUES), len(layers)))
    for v, value in enumerate(VALUES):
        train = [
            p for p in write_data.pairs(value) if _shows_only(value, p.positive) and _shows_only(value, p.negative)
        ]
        rng = random.Random(f"{bench.seed}:probe:{value}")
        unseen = {side: list(_unseen_texts(rng, value, side)) for side in (True, False)}
        texts = [p.positive for p in train], [p.negative for p in train], unseen[True], unseen[False]
        states = [bench.model.capture([TextRow(t) for t in part], layers, reduce="last") for part in texts]
        positive, negative, test_positive, test_negative = (np.asarray(s) for s in states)
        for layer in layers:
            probe = fit_probe(
                positive[:, layer], negative[:, layer], c=0.01, standardize=True, train_share=0.999, seed=bench.seed
            )
            right = [
                *(probe.logits(test_positive[:, layer]) > 0),
                *(probe.logits(test_negative[:, layer]) <= 0),
            ]
            accuracy[v, layer] = np.mean(right)
    good = (accuracy >= 0.95).sum(axis=1)
    third = np.sort(accuracy, axis=1)[:, -3]
    weakest = int(third.argmin())
    interval = share(
        [True] * round(third[weakest] * 2 * PROBE_TEXTS) + [False] * round((1 - third[weakest]) * 2 * PROBE_TEXTS)
    )
    return Figure(
        id="probes",
        property="linear probe for each value, trained on pairs, tested on unseen texts (unseen acts)",
        goal="accuracy >= .95 in at least three layers",
        trial="1.00",
        result=f"third best layer of the weakest value ({VALUES[weakest]}): {interval.text()}, n = {interval.n}",
        met=bool(good.min() >= 3),
        data={value: accuracy[v].round(4).tolist() for v, value in enumerate(VALUES)},
    )


def _shows_only(value: str, text: str) -> bool:
    """Whether a text shows one of the acts that probes may train on."""
    return any(act in text for side in ACTS[value] for act in side[:N_SEEN_ACTS])


def _unseen_texts(rng: random.Random, value: str, side: bool) -> Iterator[str]:
    """Texts that show one of the acts that no training text showed."""
    acts = ACTS[value][0 if side else 1][N_SEEN_ACTS:]
    found = 0
    while found < PROBE_TEXTS:
        text = generate.statement(rng, value, side)
        if any(act in text for act in acts):
            found += 1
            yield text
