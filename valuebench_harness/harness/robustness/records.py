"""What a robustness study finds, as it is stored in ``robustness.json``."""

from __future__ import annotations

from valuebench_harness.harness.records import SCHEMA_VERSION, Record
from valuebench_harness.metrics.paired import Change
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.metrics.retained import Retained


class Kept(Record):
    """The effect under one change.

    Attributes:
        change: name of it; ``plain`` is the items as they are.
        pairs: training pairs of each value, where the change is their number.
        unsteered: successes without steering.
        steered: with steering.
        effect: the paired change.
        share: of the effect on the same items as they are; ``None`` for these.
        floor: effect of random directions of the same size, under the same change.
        floor_share: the same as a share of the method's effect on these items as they are.
        unscored: answers of the method and its base, of which some verdict is missing; failures in the rates above.
        left_out: ids of dilemmas that could not be changed; their answers count nowhere in this record.
    """

    change: str
    pairs: int | None = None
    unsteered: Rate
    steered: Rate
    effect: Change
    share: Retained | None = None
    floor: Change
    floor_share: Retained
    unscored: int
    left_out: tuple[str, ...] = ()


class Robustness(Record):
    """``robustness.json``.

    Attributes:
        model: that was steered.
        steerer: the method.
        direction: of steering.
        values: steered, pooled in all numbers.
        strengths: of the method, by value.
        judge: identity of the judge.
        seed: of the runs.
        kept: by change, the plain items first.
        unfitted: numbers of training pairs on which the method cannot be fitted, with its reason.
        writer: model that reworded the questions; empty where none did.
        runs: folders of the runs by ``change/role``, relative to this file's.
    """

    schema_version: int = SCHEMA_VERSION
    model: str
    steerer: str
    direction: str
    values: tuple[str, ...]
    strengths: dict[str, float]
    judge: str
    seed: int
    kept: tuple[Kept, ...]
    unfitted: dict[int, str] = {}
    writer: str = ""
    runs: dict[str, str]
