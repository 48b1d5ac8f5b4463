"""FCI by causal-learn, with this package's tests of independence."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from valuebench_harness.causal.graph import Mark
from valuebench_harness.causal.independence import IndependenceTest
from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from valuebench_harness.causal.discover import Marks

NAME = "valuebench-harness"
"""Under which causal-learn knows the test."""

_ENDS = {-1: "-", 1: ">", 2: "o"}
"""causal-learn's numbers for a tail, an arrowhead and a circle."""

_MARKS: dict[tuple[str, str], Mark] = {
    ("-", ">"): "-->",
    ("-", "-"): "---",
    (">", ">"): "<->",
    ("o", ">"): "o->",
    ("o", "-"): "o--",
    ("o", "o"): "o-o",
}
"""By the ends of an edge, source first; the others are these, turned round."""


def run_fci(test: IndependenceTest, alpha: float) -> Marks:
    """A partial ancestral graph (Spirtes, Meek and Richardson 1995; Zhang 2008), which allows hidden common causes.

    Args:
        test: of conditional independence.
        alpha: level of each test.

    Raises:
        UsageError: causal-learn is not installed.
    """
    try:
        from causallearn.search.ConstraintBased.FCI import fci
        from causallearn.utils.cit import CIT_Base, register_ci_test
    except ImportError:
        raise UsageError("FCI needs causal-learn: pip install 'valuebench-harness[causal]'.") from None

    class Adapter(CIT_Base):  # type: ignore[misc]
        """The test in causal-learn's form: p of one question."""

        def __init__(self, data: Any, **options: Any) -> None:
            super().__init__(data, **options)
            self.check_cache_method_consistent(NAME, "")

        def __call__(self, x: int, y: int, given: Iterable[int] | None = None) -> float:
            """The p-value of x and y given a set."""
            (i,), (j,), rest, key = self.get_formatted_XYZ_and_cachekey(x, y, given)
            if key not in self.pvalue_cache:
                z = test.z(np.array([i]), np.array([j]), np.array([rest], dtype=np.intp).reshape(1, -1))
                self.pvalue_cache[key] = float(2 * norm.sf(z[0]))
            return float(self.pvalue_cache[key])

    register_ci_test(NAME, Adapter)
    # The data only says how many columns there are: all questions go to the test.
    with contextlib.redirect_stdout(io.StringIO()):
        graph, _ = fci(np.zeros((test.columns + 1, test.columns)), NAME, alpha, show_progress=False)
    ends = np.asarray(graph.graph)
    marks: Marks = {}
    for i, j in zip(*np.nonzero(np.triu(ends != 0)), strict=True):
        a, b = int(i), int(j)
        at_a, at_b = _ENDS[int(ends[a, b])], _ENDS[int(ends[b, a])]
        if (at_a, at_b) in _MARKS:
            marks[a, b] = _MARKS[at_a, at_b]
        else:
            marks[b, a] = _MARKS[at_b, at_a]
    return marks
