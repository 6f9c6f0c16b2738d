"""How strong every method is on one scale, and how sure that is: Bradley-Terry over blocks.

``P(i beats j) = 1 / (1 + 10^((s_j - s_i) / 400))``, as chess players are rated by Elo. Every block
is a tournament in which each method meets each other once, so all blocks weigh the same; a tie is
half a win each way. One imaginary block more, in which all methods tie, keeps a method that always
wins finite: it draws all strengths together, the less the more blocks there are.

On a table without holes the strengths order methods as the average ranks do. They add a distance,
as odds, and an interval.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import special

from bench.stats.groups import Array
from bench.stats.intervals import CONFIDENCE, draw
from bench.stats.ranks import block_ranks

POINTS = 400 / math.log(10)
"""Points of the scale in one unit of the log odds."""

CENTRE = 1000.0
TOLERANCE = 1e-10
MOST_STEPS = 100
CHUNK = 100_000
"""Numbers of one step over some resamples: as many as a processor's cache holds."""

MANY, RESAMPLES, FEWER = 24, 500, 200
ROUGH = 1e-7
"""Of the log odds, for resamples: far below what a bootstrap can tell."""


def strengths(table: pd.DataFrame, resamples: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Maximum-likelihood strengths with a percentile bootstrap over blocks.

    Every resample has its own imaginary block. The order of the blocks does not matter.

    Args:
        table: a row a block, a column a method, as ``ranks.block_table`` gives it.
        resamples: of the bootstrap; None for 500, or 200 with more than ``MANY`` methods, where
            each takes longer.
        seed: of its draws.

    Returns:
        method, strength (400 points are odds of 10 to 1; the mean over methods is 1000), low, high
        (95 %; NaN below three blocks), strongest first. All NaN without blocks.
    """
    n, k = table.shape
    if n == 0 or k == 0:
        nothing = pd.DataFrame({"method": table.columns})
        return nothing.assign(strength=np.nan, low=np.nan, high=np.nan)
    # Names and not arrival decide which draw is which block, so that a re-run changes nothing.
    order = np.argsort([str(label) for label in table.index], kind="stable")
    scores = k - block_ranks(table.to_numpy(dtype=float)[order])
    won = scores.sum(axis=0)
    best = _fit(won[None, :], n, np.zeros((1, k)))
    bounds = np.full((2, k), np.nan)
    if n >= 3:
        if resamples is None:
            resamples = RESAMPLES if k <= MANY else FEWER
        drawn = draw(np.random.default_rng(seed), n, resamples) @ scores
        drawings = np.empty((resamples, k))
        rows = max(1, CHUNK // k**2)
        for start in range(0, resamples, rows):
            drawings[start : start + rows] = _fit(drawn[start : start + rows], n, best, ROUGH)
        bounds = np.quantile(drawings, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2], axis=0)
    found = pd.DataFrame(
        {
            "method": table.columns,
            "strength": CENTRE + POINTS * best[0],
            "low": CENTRE + POINTS * bounds[0],
            "high": CENTRE + POINTS * bounds[1],
        }
    )
    # By what was won, which is exact: methods that tie stay in the table's order.
    return found.iloc[np.argsort(-won, kind="stable")].reset_index(drop=True)


def win_probability(difference: float) -> float:
    """How probably the one wins who is ``difference`` points stronger."""
    return float(special.expit(difference / POINTS))


def _fit(scores: Array, n_blocks: int, start: Array, tolerance: float = TOLERANCE) -> Array:
    """Log strengths of sum 0 that make the scores most probable ``(resamples, k)``.

    As every pair meets equally often, the scores are all that the likelihood depends on. Newton's
    steps are shortened by ``log(1 + d) / d``, d the largest change of any difference: for the
    logistic likelihood they then lead to the maximum from anywhere (Sun and Tran-Dinh 2019,
    Generalized self-concordant functions), and become whole near it.

    Args:
        scores: wins and half the ties of each method over all blocks ``(resamples, k)``.
        n_blocks: in each resample, without the imaginary one.
        start: log strengths to begin from, ``(1, k)``.
        tolerance: the largest last step; convergence is quadratic, so what it leaves is far less.
    """
    k = scores.shape[1]
    wanted = (scores + (k - 1) / 2) / (n_blocks + 1)
    found = start
    diagonal = np.arange(k)
    for _ in range(MOST_STEPS):
        # An exponential a method, not one a pair: they are what takes long.
        weight = np.exp(found - found.max(axis=1, keepdims=True))
        expected = weight[:, :, None] / (weight[:, :, None] + weight[:, None, :])
        gradient = wanted - (expected.sum(axis=2) - 0.5)
        # Adding 1 / k everywhere keeps the sum at 0, which the likelihood leaves open.
        hessian = expected * (expected - 1)
        total = hessian[:, diagonal, diagonal] - hessian.sum(axis=2)
        hessian += 1 / k
        hessian[:, diagonal, diagonal] = 1 / k + total
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        width = np.maximum(np.ptp(step, axis=1, keepdims=True), 1e-300)
        found = found + np.log1p(width) / width * step
        if width.max() < tolerance:
            break
    return np.asarray(found - found.mean(axis=1, keepdims=True))
