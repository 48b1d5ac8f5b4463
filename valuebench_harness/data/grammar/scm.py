"""The planted truth: a linear structural causal model over the ten values.

A persona holds z = W z + e, that is z = A e with A = (I - W)^-1: ``e`` is what is given from
outside (an instruction, a role, a steering vector, noise), ``W[j, i]`` the weight of the edge
i -> j, ``A[j, i]`` the total effect of i on j. It acts for value v with probability
sigmoid(SLOPE * z_v + BIAS).

Every edge ends in a collider whose parents are not adjacent, and no two directed paths lead
from one value to another, so the graph is its own equivalence class and no effect cancels:
PC on exact latent values returns it whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from valuebench_harness.data.grammar.acts import VALUES

FloatArray = npt.NDArray[np.float64]

EDGES: tuple[tuple[str, str, float], ...] = (
    ("tradition", "conformity", 0.6),
    ("security", "conformity", 0.6),
    ("self-direction", "stimulation", 0.6),
    ("conformity", "stimulation", -0.6),
    ("stimulation", "hedonism", 0.6),
    ("achievement", "hedonism", 0.6),
    ("achievement", "power", 0.6),
    ("security", "power", 0.6),
    ("benevolence", "universalism", 0.6),
    ("power", "universalism", -0.6),
    ("self-direction", "universalism", 0.5),
)
"""(cause, effect, weight)."""

NOISE_SD = 0.7
"""Standard deviation of the part of ``e`` that nothing in the conversation gives."""

SLOPE = 1.5
BIAS = -0.05
UNSURE_MARGIN = 0.6
"""Yes needs SLOPE * a * z to clear this on the logit scale, no needs the same the other way."""

INDEX: dict[str, int] = {value: i for i, value in enumerate(VALUES)}


def weight_matrix() -> FloatArray:
    """W [10, 10]: ``W[j, i]`` is the weight of the edge i -> j, in the order of ``VALUES``."""
    w = np.zeros((len(VALUES), len(VALUES)))
    for cause, effect, weight in EDGES:
        w[INDEX[effect], INDEX[cause]] = weight
    return w


def total_effects() -> FloatArray:
    """A = (I - W)^-1 [10, 10]: ``A[j, i]`` is the change of z_j by a unit change of e_i."""
    return np.asarray(np.linalg.inv(np.eye(len(VALUES)) - weight_matrix()), dtype=np.float64)


TOTAL_EFFECTS: FloatArray = total_effects()


def shift(value: str, size: float) -> FloatArray:
    """Vector e [10] that moves one value by ``size`` and leaves the others alone."""
    e = np.zeros(len(VALUES))
    e[INDEX[value]] = size
    return e


def latents(e: FloatArray) -> FloatArray:
    """Latent values z = A e for rows of exogenous shifts e [..., 10]."""
    return e @ TOTAL_EFFECTS.T


def choice_probability(z: FloatArray, appeal: FloatArray | float = 0.0) -> FloatArray:
    """Probability of the act for the value, given z of that value and the appeal of the acts (they broadcast)."""
    p: FloatArray = 1.0 / (1.0 + np.exp(-(SLOPE * z + BIAS + appeal)))
    return p


def stance_probabilities(z: float, agreement: int) -> tuple[float, float, float]:
    """Probabilities of yes, no and unsure to a questionnaire item.

    Args:
        z: the persona's latent value.
        agreement: +1 for an item that speaks for the value, -1 for one against it.
    """
    yes = 1.0 / (1.0 + float(np.exp(UNSURE_MARGIN - SLOPE * agreement * z)))
    no = 1.0 / (1.0 + float(np.exp(UNSURE_MARGIN + SLOPE * agreement * z)))
    return yes, no, 1.0 - yes - no


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_NOISE_SD_OF_Z: FloatArray = NOISE_SD * np.sqrt((TOTAL_EFFECTS**2).sum(axis=1))


def expected_favour(e: FloatArray, appeal: FloatArray | float = 0.0) -> FloatArray:
    """Favour rate of each value [10] at exogenous shift e [10], averaged over the noise.

    Gauss-Hermite quadrature with 40 nodes: z_v is normal with mean (A e)_v and variance
    NOISE_SD^2 * sum_i A[v, i]^2.

    Args:
        e: exogenous shift [10].
        appeal: of the acts at hand, for all values or for each [10].
    """
    z = latents(e)[:, None] + _NOISE_SD_OF_Z[:, None] * _NODES[None, :]
    rates: FloatArray = choice_probability(z, np.asarray(appeal)[..., None]) @ _WEIGHTS
    return rates
