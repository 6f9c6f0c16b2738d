"""Confidence intervals: Student's t over seeds, a bootstrap over cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

Array = np.ndarray[Any, Any]

CONFIDENCE = 0.95
RESAMPLES = 10_000
MOST_KEPT = 256
"""With more values than this the draws are made anew each time, for memory's sake."""


@dataclass(frozen=True)
class Interval:
    """A mean with its interval; the bounds are NaN where there are too few values."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """Half the interval's width, for ``mean ± half_width``; NaN where there is none."""
        return (self.high - self.low) / 2


def student(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Mean of seeds with a Student t interval; one seed has a mean and no interval."""
    found = np.asarray(values, dtype=float)
    n = len(found)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(found.mean())
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    t = float(special.stdtrit(n - 1, 0.5 + confidence / 2))
    half = t * float(found.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


@lru_cache(maxsize=4)
def _draws(n: int, resamples: int, seed: int) -> Array:
    """How often each resample draws each of n values ``(resamples, n)``.

    Kept, because a report asks for many intervals over equally many cells.
    """
    chosen = np.random.default_rng(seed).integers(0, n, size=(resamples, n))
    places = (chosen + n * np.arange(resamples)[:, None]).ravel()
    return np.bincount(places, minlength=n * resamples).reshape(resamples, n).astype(float)


def bootstrap(
    values: Sequence[float],
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Mean of cells with a percentile bootstrap; fewer than three cells have no interval.

    The resampling is seeded, so that a report is the same each time it is made.
    """
    found = np.asarray(values, dtype=float)
    n = len(found)
    mean = float(found.mean()) if n else math.nan
    if n < 3:
        return Interval(mean, math.nan, math.nan, n)
    draws = _draws(n, resamples, seed) if n <= MOST_KEPT else _draws.__wrapped__(n, resamples, seed)
    means = draws @ found / n
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(mean, float(low), float(high), n)
