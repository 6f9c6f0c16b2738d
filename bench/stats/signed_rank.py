"""Wilcoxon's signed-rank test and its effect size, of many columns of differences at once."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from bench.stats.groups import Array

LEAST = 6
"""With fewer differences no two-sided test can reach 0.05."""

MOST_ENUMERATED = 13
"""Up to this many differences a tie makes scipy count all 2^n signs instead of approximating."""

DECIMALS = 9
"""Sizes that agree so far are tied: means of equal seeds differ in the last bits only."""

CHUNK = 2_000_000


def wilcoxon(differences: Array) -> Array:
    """Two-sided p-values, with zeros ranked and split between both signs (``zsplit``).

    Exact for up to 50 differences without ties or zeros, and for up to 13 with; the normal
    approximation otherwise, as ``scipy.stats.wilcoxon`` chooses of its own accord.

    Args:
        differences: ``(n, m)``, one test a column; 0 where there is none.

    Returns:
        ``(m,)``; NaN below six differences, 1 where all are 0.
    """
    n, m = differences.shape
    if n < LEAST:
        return np.full(m, np.nan)
    p = np.empty(m)
    width = max(1, CHUNK // n)
    for start in range(0, m, width):
        p[start : start + width] = _tested(_settled(differences[:, start : start + width]))
    return p


def rank_biserial(differences: Array) -> Array:
    """Matched-pairs rank-biserial correlation (Kerby 2014), -1..1; ``(m,)``.

    The share of the rank sum that is positive minus the share that is negative; zeros are ranked
    and split, so they draw it towards 0. 1: every difference is positive.

    Args:
        differences: ``(n, m)``, one effect a column; 0 where there is none.
    """
    n, m = differences.shape
    if n == 0:
        return np.full(m, np.nan)
    settled = _settled(differences)
    signed = np.sign(settled) * _ranks(settled)
    return np.asarray(signed.sum(axis=0) / (n * (n + 1) / 2))


def _settled(differences: Array) -> Array:
    return np.round(differences, DECIMALS)


def _ranks(differences: Array) -> Array:
    from scipy.stats import rankdata

    return np.asarray(rankdata(np.abs(differences), axis=0))


def _tested(differences: Array) -> Array:
    from scipy.stats import wilcoxon

    n, m = differences.shape
    sizes = np.sort(np.abs(differences), axis=0)
    tied = (sizes[0] == 0) | (np.diff(sizes, axis=0) == 0).any(axis=0)
    zero = sizes[-1] == 0
    p = np.ones(m)
    # scipy chooses its method for all columns together, so columns of a kind go together.
    for kind in (~tied, tied & ~zero):
        if not kind.any():
            continue
        chosen = differences[:, kind]
        if n <= MOST_ENUMERATED and tied[kind].any():
            p[kind] = _enumerated(chosen)
        else:
            p[kind] = wilcoxon(chosen, zero_method="zsplit", axis=0).pvalue
    return p


def _enumerated(differences: Array) -> Array:
    """Twice the smaller tail of the positive rank sum over all signs that were possible.

    Half ranks are exact in binary, so sums compare without a tolerance. Zeros have no sign to turn:
    their ranks are the same in every case and cancel.
    """
    ranks = np.where(differences == 0, 0.0, _ranks(differences))
    observed = (ranks * (differences > 0)).sum(axis=0)
    signs = _signs(len(ranks))
    p = np.empty(ranks.shape[1])
    width = max(1, CHUNK // len(signs))
    for start in range(0, len(p), width):
        part = slice(start, start + width)
        sums = signs @ ranks[:, part]
        less = (sums <= observed[part]).mean(axis=0)
        greater = (sums >= observed[part]).mean(axis=0)
        p[part] = np.minimum(1.0, 2 * np.minimum(less, greater))
    return p


@lru_cache(maxsize=MOST_ENUMERATED)
def _signs(n: int) -> Array:
    return np.array(list(product((0.0, 1.0), repeat=n)))
