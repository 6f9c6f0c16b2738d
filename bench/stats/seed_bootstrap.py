"""The percentile bootstrap of a mean over the few seeds of a cell.

A bootstrap of three to five values is too narrow. It cannot leave the range of the values, and
three values have a symmetric distribution's centre between their least and largest only 75 % of
the time (it is outside when all three fall on one side of it: 2 x 1/8), five 94 %. Student's t
interval, which pays for the unknown spread, stands beside it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from bench.stats.groups import Array
from bench.stats.intervals import CONFIDENCE

EXACT = 6
"""Up to this many seeds all n^n resamples are counted; above it some are drawn."""

RESAMPLES = 2_000
CHUNK = 2_000_000
TAIL = (1 - CONFIDENCE) / 2


def seed_bootstrap(values: Array, seed: int = 0) -> tuple[Array, Array]:
    """The 2.5 % and 97.5 % quantiles of the resampled means, of many cells at once.

    The lower bound is the smallest resampled mean that at least 2.5 % of the resamples do not
    exceed, and the upper one mirrors it; nothing is interpolated between the few means that three
    seeds have. The order of the seeds does not matter.

    Args:
        values: ``(m, n)``, one cell a row.
        seed: of the draws, where there are more than six values.

    Returns:
        Lower and upper bounds, each ``(m,)``; NaN below three values.
    """
    m, n = values.shape
    if n < 3:
        return np.full(m, np.nan), np.full(m, np.nan)
    ascending = np.sort(values, axis=1)
    if n > EXACT:
        return _drawn(ascending, seed)
    return _exact_low(ascending), -_exact_low(-ascending[:, ::-1])


def _exact_low(ascending: Array) -> Array:
    n = ascending.shape[1]
    counts, weights = _tail(n)
    means = ascending @ counts.T / n
    order = np.argsort(means, axis=1)
    reached = np.cumsum(weights[order], axis=1) >= TAIL * n**n
    place = np.take_along_axis(order, reached.argmax(axis=1)[:, None], axis=1)
    return np.asarray(np.take_along_axis(means, place, axis=1)[:, 0])


@lru_cache(maxsize=EXACT)
def _tail(n: int) -> tuple[Array, Array]:
    """The resamples that the lower quantile can lie on or above, whatever the values.

    Resamples are multisets of places in ascending order, and a multiset weighs as many resamples
    as it has permutations. One that is nowhere larger than another has no larger mean. So where
    those that are nowhere larger than a multiset hold 2.5 % of the weight, the quantile is not
    above them and the multiset is not needed: of 462 multisets of six, 72 stay.

    Returns:
        How often each multiset takes each place ``(k, n)``, and its weight ``(k,)``.
    """
    places = np.array(list(combinations_with_replacement(range(n), n)))
    counts = (places[:, :, None] == np.arange(n)).sum(axis=1)
    factorials = np.array([math.factorial(i) for i in range(n + 1)])
    weights = math.factorial(n) // factorials[counts].prod(axis=1)
    not_larger = (places[:, None, :] <= places[None, :, :]).all(axis=2)
    before = weights @ not_larger - weights
    kept = before < TAIL * n**n
    return counts[kept].astype(float), weights[kept]


def _drawn(ascending: Array, seed: int) -> tuple[Array, Array]:
    m, n = ascending.shape
    chosen = np.random.default_rng(seed).integers(0, n, size=(RESAMPLES, n))
    shares = (chosen[:, :, None] == np.arange(n)).sum(axis=1).T / n
    outside = math.ceil(TAIL * RESAMPLES - 1e-9)
    low, high = np.empty(m), np.empty(m)
    rows = CHUNK // RESAMPLES
    for start in range(0, m, rows):
        means = ascending[start : start + rows] @ shares
        # Two selections of one place each are ten times as quick as one of two places.
        means.partition(outside - 1, axis=1)
        low[start : start + rows] = means[:, outside - 1]
        means.partition(RESAMPLES - outside, axis=1)
        high[start : start + rows] = means[:, RESAMPLES - outside]
    return low, high
