"""Do the answers of many respondents order the values as Schwartz's circle does?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Floats = NDArray[np.float64]
DRAWS = 199


class CircleFit(BaseModel):
    """How near a configuration of values is to the theoretical circle.

    Attributes:
        disparity: Procrustes disparity in [0, 1]: 0 is the circle itself, up to turning, flipping and size.
        p: share of circles with the values in random order that fit as well or better.
        stress: of the two-dimensional configuration (normalised, Kruskal's stress-1).
        places: value to its point, turned and scaled onto the circle.
        constant: values without variance after centring; they have no correlation and are left out.
        respondents: rows without a missing score.
    """

    model_config = ConfigDict(frozen=True)

    disparity: float
    p: float
    stress: float
    places: dict[str, tuple[float, float]]
    constant: tuple[str, ...]
    respondents: int


def circle_fit(
    scores: Floats, values: Sequence[str], angles: Mapping[str, float], *, draws: int = DRAWS, seed: int = 0
) -> CircleFit | None:
    """Centre, 1 - r, MDS from the theoretical circle, Procrustes.

    Each respondent's mean is taken off first, since respondents differ in how much they agree with anything
    (Schwartz 1992); then 1 - r is the distance of two values, two-dimensional metric MDS (SMACOF) places them,
    started from the theoretical circle as Bilsky, Janik and Schwartz (2011) do, and Procrustes analysis
    compares. The comparison circles of p are started from themselves, so that none has the advantage.

    Args:
        scores: ``[n_respondents, n_values]``; rows with ``nan`` are left out.
        values: names of the columns.
        angles: place of each value in degrees.
        draws: random orders that give p.
        seed: of them.

    Returns:
        ``None`` with fewer than three respondents, or fewer than four values that vary.
    """
    whole = scores[~np.isnan(scores).any(axis=1)]
    centred = whole - whole.mean(axis=1, keepdims=True)
    varies = centred.std(axis=0) > 1e-12 if len(whole) else np.zeros(len(values), dtype=bool)
    names = [v for v, keep in zip(values, varies, strict=True) if keep]
    if len(whole) < 3 or len(names) < 4:
        return None
    distances = 1 - np.corrcoef(centred[:, varies], rowvar=False)
    distances = np.clip((distances + distances.T) / 2, 0.0, 2.0)
    np.fill_diagonal(distances, 0.0)
    radians = np.deg2rad([angles[v] for v in names])
    circle = np.stack([np.cos(radians), np.sin(radians)], axis=1)
    disparity, stress, places = _fit(distances, circle)
    rng = np.random.default_rng(seed)
    others = [_fit(distances, circle[rng.permutation(len(names))])[0] for _ in range(draws)]
    return CircleFit(
        disparity=disparity,
        p=(1 + sum(other <= disparity + 1e-12 for other in others)) / (draws + 1),
        stress=stress,
        places={name: (float(x), float(y)) for name, (x, y) in zip(names, places, strict=True)},
        constant=tuple(v for v, keep in zip(values, varies, strict=True) if not keep),
        respondents=len(whole),
    )


def _fit(distances: Floats, circle: Floats) -> tuple[float, float, Floats]:
    """Disparity, stress and the configuration laid onto the circle."""
    from scipy.spatial import procrustes
    from sklearn.manifold import smacof

    places, stress = smacof(
        distances, n_components=2, init=circle, n_init=1, max_iter=200, eps=1e-6, normalized_stress=False
    )
    theory, laid, disparity = procrustes(circle, places)
    size = float(np.sqrt((theory**2).sum(axis=1)).mean()) or 1.0
    total = float((np.triu(distances) ** 2).sum())
    return float(disparity), float(np.sqrt(stress / total)) if total else 0.0, laid / size
