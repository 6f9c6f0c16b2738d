"""Spearman's rank correlation of two columns, with a bootstrap over rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from bench.stats.groups import Array
from bench.stats.intervals import CONFIDENCE, draw

LEAST = 6
RESAMPLES = 2_000
LEAST_RESAMPLES = 200
MOST_DRAWS = 4_000_000
CHUNK = 100_000
"""Draws at once: few, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class Association:
    """How one number goes with another over the rows of a frame.

    Attributes:
        n: rows that have both.
        rho: Spearman's correlation; NaN below three rows or where either is constant.
        low, high: 95 % percentile bootstrap over rows; NaN below six rows.
        p: two-sided, from Student's t as in ``scipy.stats.spearmanr``; NaN below six rows.
    """

    n: int
    rho: float
    low: float
    high: float
    p: float


def rank_correlation(first: Array, second: Array, seed: int = 0) -> Association:
    """Spearman's correlation of two columns without NaN ``(n,)`` each.

    There are 2,000 resamples, and fewer for more than 2,000 rows. The order of the rows does not
    matter.
    """
    n = len(first)
    if n < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return Association(n, *[math.nan] * 4)
    order = np.lexsort((second, first))
    one, other = _Ordered(first[order]), _Ordered(second[order])
    whole = np.ones((1, n))
    rho = float(_correlation(one.ranks(whole), other.ranks(whole), whole)[0])
    if n < LEAST:
        return Association(n, rho, math.nan, math.nan, math.nan)
    resamples = max(LEAST_RESAMPLES, min(RESAMPLES, MOST_DRAWS // n))
    random = np.random.default_rng(seed)
    rows = max(1, CHUNK // n)
    found = []
    for done in range(0, resamples, rows):
        drawn = draw(random, n, min(rows, resamples - done))
        found.append(_correlation(one.ranks(drawn), other.ranks(drawn), drawn))
    # A resample that happens to be constant has no correlation.
    quantiles = [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2]
    low, high = np.nanquantile(np.concatenate(found), quantiles)
    left = (1 - rho) * (1 + rho)
    size = math.inf if left <= 0 else abs(rho) * math.sqrt((n - 2) / left)
    return Association(n, rho, float(low), float(high), float(2 * special.stdtr(n - 2, -size)))


class _Ordered:
    """A column that is sorted once, so that a resample's ranks are sums of its counts."""

    def __init__(self, values: Array) -> None:
        self.order = np.argsort(values, kind="stable")
        ascending = values[self.order]
        self.starts = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1]))
        self.tie = np.empty(len(values), dtype=np.int64)
        self.tie[self.order] = np.repeat(
            np.arange(len(self.starts)), np.diff(np.append(self.starts, len(values)))
        )

    def ranks(self, counts: Array) -> Array:
        """Mean rank of every row where row i is there ``counts[:, i]`` times ``(m, n)``."""
        tied = np.add.reduceat(counts[:, self.order], self.starts, axis=1)
        return np.asarray((np.cumsum(tied, axis=1) - (tied - 1) / 2)[:, self.tie])


def _correlation(first: Array, second: Array, counts: Array) -> Array:
    """Pearson's correlation of rows that are there several times, all ``(m, n)``; ``(m,)``."""
    centre = (counts.shape[1] + 1) / 2
    first -= centre
    second -= centre
    products = np.einsum("mn,mn,mn->m", counts, first, second)
    squares = [np.einsum("mn,mn,mn->m", counts, ranks, ranks) for ranks in (first, second)]
    spread = np.sqrt(squares[0] * squares[1])
    return np.asarray(np.where(spread > 0, products / np.where(spread > 0, spread, 1), np.nan))
