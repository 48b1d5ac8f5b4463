"""Tests of conditional independence by partial correlation, for rows that are independent and rows that are not.

Kang's rows are roles x settings: two rows of one role, or of one setting, are alike. A test that
counts them as independent sees far more evidence than there is: with two crossed random effects, 30%
of the variance between 101 roles and no causal effect at all, PC at 5% reports about 31 edges among 17
values. What a test should be about (its estimand) can be chosen:

* ``crossed``: the correlation over roles and settings together, as Kang's, tested with the sample
  size that it is really worth. For independent columns with components of variance between roles,
  between settings and within, the variance of their sample covariance is a sum over the components
  k of ``df_k * ms_k(i) * ms_k(j)``, where ``ms_k`` are the mean squares of the analysis of variance.
  Setting it equal to that of n independent rows gives

      n - 1 = T(i) T(j) / sum_k SS_k(i) SS_k(j) / df_k,    T = sum_k SS_k,

  the rule that Clifford, Richardson and Hémon (1989, Biometrics 45) state for autocorrelated data,
  here with the covariance that a two-way layout has. For a partial correlation the sums of squares
  are those of the residuals, test by test.
* ``within``: two-way demeaned; what moves together once what a role and what a setting do on average
  are taken out. It asks of another thing: all structure between roles and between settings is gone,
  and where answers are noisy little but noise is left.
* ``roles``, ``settings``: correlation of the means of the roles, or of the settings.
* ``rows``: every row counts as independent, as in the published pipeline.

Under one linear model with the same coefficients in all components, each of these covariances, and
their sum, has the same conditional independences; they differ in power, and in what they would show if
the components did not agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.stats import norm

from valuebench_harness.causal.table import FloatArray, IntArray, OrientationTable

Estimand = Literal["crossed", "within", "roles", "settings", "rows"]
MOST = 1 - 1e-12
"""Partial correlations are cut to this, so that their z is finite."""


class IndependenceTest(Protocol):
    """Tests many triples (i, j, given) at once."""

    @property
    def columns(self) -> int:
        """How many variables there are."""

    def z(self, i: IntArray, j: IntArray, given: IntArray) -> FloatArray:
        """Standard normal statistics, in absolute value, of ``i`` and ``j`` (``[m]``) given ``[m, d]``."""


@dataclass(frozen=True, eq=False)
class FisherZ:
    """Fisher's z of partial correlations.

    Attributes:
        correlation: ``[columns, columns]``.
        n: independent rows behind it.
    """

    correlation: FloatArray
    n: float

    @property
    def columns(self) -> int:
        """How many variables there are."""
        return len(self.correlation)

    def z(self, i: IntArray, j: IntArray, given: IntArray) -> FloatArray:
        """See :class:`IndependenceTest`."""
        r = partial_correlation(self.correlation, i, j, given)
        return np.asarray(np.abs(np.arctanh(r)) * np.sqrt(max(self.n - given.shape[1] - 3, 0.0)))


@dataclass(frozen=True, eq=False)
class Component:
    """One stratum of the analysis of variance.

    Attributes:
        squares: sums of squares and products, ``[columns, columns]``.
        df: degrees of freedom.
    """

    squares: FloatArray
    df: float


@dataclass(frozen=True, eq=False)
class CrossedFisherZ:
    """Fisher's z of total partial correlations at the sample size that crossed rows are worth.

    Attributes:
        components: strata of the analysis of variance.
    """

    components: tuple[Component, ...]

    @property
    def columns(self) -> int:
        """How many variables there are."""
        return len(self.components[0].squares)

    @property
    def total(self) -> FloatArray:
        """Sum of the components' squares and products."""
        return np.asarray(sum(c.squares for c in self.components))

    def z(self, i: IntArray, j: IntArray, given: IntArray) -> FloatArray:
        """See :class:`IndependenceTest`."""
        total = self.total
        n, r = self.effective(i, j, given, total)
        return np.asarray(np.abs(np.arctanh(r)) * np.sqrt(np.maximum(n - given.shape[1] - 3, 0.0)))

    def effective(self, i: IntArray, j: IntArray, given: IntArray, total: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Effective sample sizes and partial correlations, ``[m]`` each."""
        a, b = (_contrasts(total, k, given) for k in (i, j))
        left, right, worth = np.zeros(len(i)), np.zeros(len(i)), np.zeros(len(i))
        product = np.zeros(len(i))
        at_a, at_b = (np.column_stack([k, given]) for k in (i, j))
        for component in self.components:
            s = component.squares
            sa = np.maximum(_form(s, at_a, a, at_a, a), 0.0)
            sb = np.maximum(_form(s, at_b, b, at_b, b), 0.0)
            left, right = left + sa, right + sb
            worth = worth + sa * sb / component.df
            product = product + _form(s, at_a, a, at_b, b)
        with np.errstate(invalid="ignore", divide="ignore"):
            n = left * right / worth + 1
            r = np.clip(product / np.sqrt(left * right), -MOST, MOST)
        return np.nan_to_num(n), np.nan_to_num(r)


def make_test(table: OrientationTable, estimand: Estimand, weights: FloatArray | None = None) -> IndependenceTest:
    """The test of a table's columns.

    Args:
        table: without missing numbers.
        estimand: what the correlations are of.
        weights: of the rows, as the bootstrap draws them; default: all 1. A cluster drawn twice is no
            new evidence: degrees of freedom count distinct clusters.
    """
    w = np.ones(len(table)) if weights is None else weights
    present = w > 0
    x, w = table.scores[present], w[present]
    x = x - np.average(x, axis=0, weights=w)
    if estimand == "rows":
        return FisherZ(_correlation((x * w[:, None]).T @ x), len(x))
    roles = between(x, w, table.role_index[present])
    settings = between(x, w, table.setting_index[present])
    within_df = len(x) - 1 - roles.df - settings.df
    if estimand == "roles":
        return FisherZ(_correlation(roles.squares), roles.df + 1)
    if estimand == "settings":
        return FisherZ(_correlation(settings.squares), settings.df + 1)
    within = Component((x * w[:, None]).T @ x - roles.squares - settings.squares, within_df)
    if estimand == "within":
        return FisherZ(_correlation(within.squares), within.df + 1)
    return CrossedFisherZ(tuple(c for c in (roles, settings, within) if c.df > 0))


def between(x: FloatArray, w: FloatArray, clusters: IntArray) -> Component:
    """Squares and products between clusters of centred, weighted rows."""
    distinct, place = np.unique(clusters, return_inverse=True)
    sums = np.zeros((len(distinct), x.shape[1]))
    np.add.at(sums, place, x * w[:, None])
    weight = np.bincount(place, weights=w)
    return Component((sums / weight[:, None]).T @ sums, len(distinct) - 1)


def critical(alpha: float) -> float:
    """The z beyond which independence is rejected, two-sided."""
    return float(norm.isf(alpha / 2))


def partial_correlation(correlation: FloatArray, i: IntArray, j: IntArray, given: IntArray) -> FloatArray:
    """Partial correlations of ``i`` and ``j`` (``[m]``) given ``[m, d]``, cut to just below 1."""
    at = [i, j, *given.T]
    entry = {(p, q): correlation[at[p], at[q]] for p in range(len(at)) for q in range(p, len(at))}
    with np.errstate(invalid="ignore", divide="ignore"):
        _sweep(entry, len(at), 2)
        r = entry[0, 1] / np.sqrt(entry[0, 0] * entry[1, 1])
    return np.asarray(np.clip(np.nan_to_num(r), -MOST, MOST))


def _sweep(entry: dict[tuple[int, int], FloatArray], size: int, keep: int) -> None:
    """Takes variables ``keep`` to ``size - 1`` out of covariances ``entry[p, q]``, p <= q, each ``[m]``.

    Gaussian elimination of small matrices side by side: entry by entry over all of them, which is many
    times as fast as LAPACK matrix by matrix. Linearly dependent variables, as a bootstrap sample with few
    clusters has them, come out as NaN.
    """
    for k in range(size - 1, keep - 1, -1):
        for p in range(k):
            factor = entry[p, k] / entry[k, k]
            for q in range(p, k):
                entry[p, q] = entry[p, q] - factor * entry[q, k]


def _contrasts(total: FloatArray, i: IntArray, given: IntArray) -> FloatArray:
    """Coefficients of the residual of ``i`` on ``given``, at ``i`` and then at ``given``: ``[m, 1 + d]``."""
    at = [i, *given.T]
    size = len(at)
    entry = {(p, q): total[at[p], at[q]] for p in range(size) for q in range(p, size)}
    out = np.ones((len(i), size))
    with np.errstate(invalid="ignore", divide="ignore"):
        _sweep(entry, size, 1)
        # What elimination left in column k involves variables before k only: substitute forwards.
        for k in range(1, size):
            out[:, k] = -sum(out[:, p] * entry[p, k] for p in range(k)) / entry[k, k]
    return np.nan_to_num(out)


def _form(squares: FloatArray, at_a: IntArray, a: FloatArray, at_b: IntArray, b: FloatArray) -> FloatArray:
    """The bilinear forms a' S b of contrasts at some columns, ``[m]``."""
    out = np.zeros(len(a))
    for p in range(a.shape[1]):
        for q in range(b.shape[1]):
            out += a[:, p] * b[:, q] * squares[at_a[:, p], at_b[:, q]]
    return out


def _correlation(squares: FloatArray) -> FloatArray:
    scale = np.sqrt(np.diag(squares))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nan_to_num(squares / np.outer(scale, scale)))
