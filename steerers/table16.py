"""ConVA's published thresholds for Llama-2-7b-chat (Jin et al., ACL 2025, Table 16), value by value.

The text above the table says that :math:`P_0 = 1 - 0.1^x` with whole numbers :math:`x`, but only hedonism's 0.9
is such a number; the table is taken as it stands, which is :math:`x` from 0.92 to 1.60. The thresholds
:math:`g_0` are those of the authors' code as well; they are on the scale of the DeBERTa detector
(:mod:`.gates.deberta`) and mean nothing for another gate.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from valuebench_harness.errors import unknown_name


class Thresholds(NamedTuple):
    """A row of the table: what the classifier must reach, and what the gate's score must exceed."""

    p0: float
    g0: float

    @property
    def strength(self) -> float:
        """ConVA's strength x with ``1 - 0.1^x = p0``."""
        return -math.log10(1 - self.p0)


TABLE_16 = {
    "achievement": Thresholds(0.97, 0.6),
    "stimulation": Thresholds(0.93, 0.02),
    "hedonism": Thresholds(0.9, 0.007),
    "self-direction": Thresholds(0.95, 0.5),
    "power": Thresholds(0.92, 0.06),
    "security": Thresholds(0.975, 0.2),
    "tradition": Thresholds(0.92, 0.08),
    "conformity": Thresholds(0.88, 0.013),
    "benevolence": Thresholds(0.91, 0.2),
    "universalism": Thresholds(0.94, 0.39),
}


def published(value: str, instead: str) -> Thresholds:
    """The published thresholds of a value.

    Args:
        value: id of the value.
        instead: what to do for a value that the table lacks, for the error.

    Raises:
        UsageError: a value other than Schwartz's ten.
    """
    if value not in TABLE_16:
        raise unknown_name("value of ConVA's Table 16", value, TABLE_16, instead)
    return TABLE_16[value]
