"""All checks, in the order in which they are run and shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from valuebench_harness.harness.check.cost import check_cost
from valuebench_harness.harness.check.decoding import check_decoding
from valuebench_harness.harness.check.effect import check_acts, check_direction, check_monotone
from valuebench_harness.harness.check.identity import check_gate, check_identity
from valuebench_harness.harness.check.learning import check_fit, check_round_trip
from valuebench_harness.harness.check.places import check_layers, check_tokens
from valuebench_harness.harness.check.planning import check_deterministic, check_plans, check_serialisable
from valuebench_harness.harness.check.precision import check_precision
from valuebench_harness.harness.check.rows import check_batches, check_padding
from valuebench_harness.harness.check.traces import check_traces

if TYPE_CHECKING:
    from valuebench_harness.harness.check.outcome import Outcome
    from valuebench_harness.harness.check.subject import Subject


@dataclass(frozen=True)
class Check:
    """One promise of a steerer.

    Attributes:
        name: in reports.
        asks: the promise, in a few words.
        run: looks at a steerer; its docstring says what a fault looks like.
    """

    name: str
    asks: str
    run: Callable[[Subject], Outcome]


CHECKS = (
    Check("fit", "the same pairs give the same artifact", check_fit),
    Check("plan", "plans fit the model and what was learned", check_plans),
    Check("deterministic", "the same request gives the same plan", check_deterministic),
    Check("serialisable", "a plan survives JSON", check_serialisable),
    Check("round-trip", "an artifact survives a file", check_round_trip),
    Check("identity", "strength 0 is the unsteered model", check_identity),
    Check("gate", "a closed gate is the unsteered model", check_gate),
    Check("acts", "steering does something", check_acts),
    Check("monotone", "more strength, more change", check_monotone),
    Check("direction", "towards the value, or away from it", check_direction),
    Check("batches", "other rows and their order do not matter", check_batches),
    Check("padding", "padding is neither steered nor read", check_padding),
    Check("layers", "only the declared layers move", check_layers),
    Check("tokens", "only the declared tokens move", check_tokens),
    Check("decoding", "cached decoding equals recomputation", check_decoding),
    Check("precision", "bfloat16 stays finite", check_precision),
    Check("traces", "nothing is left on the model", check_traces),
    Check("cost", "against the unsteered model", check_cost),
)
