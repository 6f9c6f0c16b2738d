"""Confidence intervals: Student's t over seeds, a bootstrap over cells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special

from bench.stats.groups import Array, Groups

CONFIDENCE = 0.95
RESAMPLES = 10_000
LEAST_RESAMPLES = 2_000
MOST_DRAWS = 25_000_000
"""With more than 2,500 values there are fewer resamples, so that an interval takes a second."""

MOST_KEPT = 256
"""With more values than this the draws are made anew each time, for memory's sake."""

CHUNK = 2_000_000
"""Draws that are in memory at once where they are not kept."""

CACHED = 50_000
"""Draws that are counted at once: few, so that they stay in the processor's cache."""


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


class Intervals(NamedTuple):
    """Many of them, each ``(m,)``."""

    mean: Array
    low: Array
    high: Array


def student(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Mean of seeds with a Student t interval; one seed has a mean and no interval."""
    found = np.asarray(values, dtype=float)
    n = len(found)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    all_one = Groups(np.zeros(n, dtype=np.int64), np.zeros(1, dtype=np.int64))
    mean, low, high = (float(bound[0]) for bound in students(all_one, found, confidence))
    return Interval(mean, low, high, n)


def students(groups: Groups, values: Array, confidence: float = CONFIDENCE) -> Intervals:
    """Mean of every group with a Student t interval; NaN bounds for groups of one.

    Args:
        groups: the cell of every value.
        values: ``(rows,)``.
        confidence: of the interval.
    """
    n = groups.sizes
    mean = groups.means(values)
    squares = np.square(values - mean[groups.number])
    freedom = np.where(n > 1, n - 1, np.nan)
    spread = np.bincount(groups.number, weights=squares, minlength=len(n)) / freedom
    half = special.stdtrit(freedom, 0.5 + confidence / 2) * np.sqrt(spread / n)
    return Intervals(mean, mean - half, mean + half)


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
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    many = bootstraps(found[None, :], confidence, resamples, seed)
    mean, low, high = (float(bound[0]) for bound in many)
    return Interval(mean, low, high, n)


def bootstraps(
    values: Array,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Intervals:
    """The same for many rows of equally many cells, which share the draws.

    Args:
        values: ``(m, n)``, at least one cell a row.
        confidence: of the intervals.
        resamples: how many; fewer for very many cells (see ``MOST_DRAWS``).
        seed: of the draws.
    """
    m, n = values.shape
    mean = values.mean(axis=1)
    if n < 3:
        none = np.full(m, np.nan)
        return Intervals(mean, none, none.copy())
    resamples = min(resamples, max(LEAST_RESAMPLES, MOST_DRAWS // n))
    means = np.empty((m, resamples))
    done = 0
    for drawn in _chunks(n, resamples, seed):
        means[:, done : done + len(drawn)] = values @ drawn.T / n
        done += len(drawn)
    means.sort(axis=1)
    low, high = (_quantile(means, 0.5 + side * confidence / 2) for side in (-1, 1))
    return Intervals(mean, low, high)


def _quantile(ascending: Array, share: float) -> Array:
    """As ``np.quantile`` interpolates, of rows that are sorted already."""
    place = (ascending.shape[1] - 1) * share
    below = int(place)
    above = min(below + 1, ascending.shape[1] - 1)
    part = place - below
    return np.asarray((1 - part) * ascending[:, below] + part * ascending[:, above])


def _chunks(n: int, resamples: int, seed: int) -> Iterator[Array]:
    """How often each resample draws each of n values, ``(some resamples, n)`` at a time."""
    if n <= MOST_KEPT:
        yield _kept(n, resamples, seed)
        return
    random = np.random.default_rng(seed)
    rows = max(1, CHUNK // n)
    for done in range(0, resamples, rows):
        yield draw(random, n, min(rows, resamples - done))


@lru_cache(maxsize=4)
def _kept(n: int, resamples: int, seed: int) -> Array:
    """Kept, because a report asks for many intervals over equally many cells."""
    return draw(np.random.default_rng(seed), n, resamples)


def draw(random: np.random.Generator, n: int, resamples: int) -> Array:
    """How often each resample draws each of n values ``(resamples, n)``."""
    found = np.empty((resamples, n))
    rows = max(1, CACHED // n)
    for done in range(0, resamples, rows):
        part = found[done : done + rows]
        chosen = random.integers(0, n, size=part.shape)
        chosen += n * np.arange(len(part))[:, None]
        part[:] = np.bincount(chosen.ravel(), minlength=part.size).reshape(part.shape)
    return found
