"""Confidence intervals: Student's t over seeds, a bootstrap over cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

Array = np.ndarray[Any, Any]

CONFIDENCE = 0.95
RESAMPLES = 10_000


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
    rng = np.random.default_rng(seed)
    means = found[rng.integers(0, n, size=(resamples, n))].mean(axis=1)
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(mean, float(low), float(high), n)
