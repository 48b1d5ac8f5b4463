"""Each value's best raising and lowering setting, beside settings that are aimed at it: Kang's Table 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.interventions import Target
from valuebench_harness.causal.steering import Proportions, moves
from valuebench_harness.causal.table import FloatArray, OrientationTable


class Moved(BaseModel):
    """What some settings did to a value.

    Attributes:
        settings: pooled where there are several.
        test: proportions among the test roles.
    """

    model_config = ConfigDict(frozen=True)

    settings: tuple[str, ...]
    test: Proportions


class Choice(BaseModel):
    """One value. The best settings are chosen by the training roles and shown on the test roles.

    Attributes:
        raising: the setting that stimulates most more roles than it suppresses; of those aimed at no value, where
            there are any.
        lowering: the one that suppresses most more than it stimulates.
        aimed_up: settings aimed at the value, such as explicit instructions; ``None`` without.
        aimed_down: settings aimed away from it.
    """

    model_config = ConfigDict(frozen=True)

    raising: Moved
    lowering: Moved
    aimed_up: Moved | None = None
    aimed_down: Moved | None = None


def choices(
    train: OrientationTable, test: OrientationTable, settings: Sequence[str], targets: Mapping[str, Target]
) -> dict[str, Choice]:
    """Kang's Table 3 by value.

    Args:
        train: chooses.
        test: shows.
        settings: steered settings of both.
        targets: of the settings that are aimed at a value.
    """
    free = [n for n, setting in enumerate(settings) if setting not in targets] or list(range(len(settings)))
    lean = np.nansum(moves(train, settings), axis=1)
    shown = moves(test, settings)
    found = {}
    for v, value in enumerate(train.values):
        aimed = {
            sign: [n for n, s in enumerate(settings) if s in targets and targets[s] == Target(value=value, sign=sign)]
            for sign in (1, -1)
        }
        best = (max(free, key=lambda n: lean[n, v]), min(free, key=lambda n: lean[n, v]))
        found[value] = Choice(
            raising=_moved(settings, shown[:, :, v], [best[0]]),
            lowering=_moved(settings, shown[:, :, v], [best[1]]),
            aimed_up=_moved(settings, shown[:, :, v], aimed[1]) if aimed[1] else None,
            aimed_down=_moved(settings, shown[:, :, v], aimed[-1]) if aimed[-1] else None,
        )
    return found


def _moved(settings: Sequence[str], signs: FloatArray, chosen: Sequence[int]) -> Moved:
    pooled = signs[list(chosen)].ravel()
    known = pooled[~np.isnan(pooled)]
    shares = [float((known == sign).mean()) if len(known) else None for sign in (1, -1, 0)]
    return Moved(
        settings=tuple(settings[n] for n in chosen),
        test=Proportions(stimulated=shares[0], suppressed=shares[1], maintained=shares[2], roles=len(known)),
    )
