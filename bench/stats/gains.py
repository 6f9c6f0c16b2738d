"""What a refiner gives or takes: paired over seeds inside a cell, tested over cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.stats.frame import CELL, tidy
from bench.stats.grid import plain_columns
from bench.stats.groups import Array, Groups, codes, number
from bench.stats.holm import holm
from bench.stats.intervals import bootstraps, students
from bench.stats.seed_bootstrap import seed_bootstrap
from bench.stats.signed_rank import rank_biserial, wilcoxon
from bench.stats.spearman import Association, rank_correlation

SMALLEST = 1e-7
"""A mean gain below this is none: one test sample of a million, averaged over ten seeds."""

BY = [*CELL, "refiner"]


def paired(results: pd.DataFrame) -> pd.DataFrame:
    """One row a training and refiner other than ``off``, with the gain over ``off``.

    Both come from the same trained weights. Trainings without ``off`` have no pair and no row.

    Returns:
        dataset, noise, method, seed, refiner, off, on, gain (all as shares).
    """
    found = _pairs(results)
    key = [*CELL, "seed", "refiner"]
    named = found.frame.iloc[found.rows][key].reset_index(drop=True)
    return named.assign(off=found.off, on=found.on, gain=found.on - found.off)


def by_cell(results: pd.DataFrame) -> pd.DataFrame:
    """Mean paired gain of every cell and refiner, with two intervals over seeds.

    The bootstrap of three to five seeds is too narrow: it never leaves their range, and of three
    that range holds a symmetric distribution's centre only 75 % of the time. So Student's t
    interval stands beside it; where they disagree about 0, believe the wider one.

    Returns:
        dataset, noise, method, refiner, seeds, off, gain, low, high (percentile bootstrap over
        seeds, exact up to six of them; NaN below three), t_low, t_high (Student t; NaN for one
        seed).
    """
    found = _pairs(results)
    gains = found.on - found.off
    low, high = np.full((2, len(found.cells.first)), np.nan)
    for members, (seeds,) in found.cells.by_size(gains):
        low[members], high[members] = seed_bootstrap(seeds)
    t = students(found.cells, gains)
    frame = _cells(found).drop(columns="better")
    return frame.assign(low=low, high=high, t_low=t.low, t_high=t.high)


def overall(results: pd.DataFrame) -> pd.DataFrame:
    """Every refiner over all cells.

    A cell is a win or a loss by the sign of its mean gain; a tie is a gain of 0 (smaller than any
    test set can resolve, as sums of seeds that cancel are not exactly 0). ``p`` is
    the Wilcoxon signed-rank test over cells (two-sided, zeros split), corrected by Holm over the
    refiners; NaN below six cells, where no such test can reach 0.05.

    ``improvement`` is the probability of improvement of Agarwal et al. (2021, Deep Reinforcement
    Learning at the Edge of the Statistical Precipice) in a paired form: they compare each run of
    one algorithm with each run of the other on a task; on and off share their trained weights
    here, so each seed is compared with itself, and one comparison a seed takes the place of all
    pairs.

    Returns:
        refiner, cells, gain, low, high (bootstrap over cells), wins, ties, losses, worst (the
        lowest cell mean), p, effect (matched-pairs rank-biserial correlation over cells, -1..1),
        improvement (share of a cell's seeds that gain, ties as half, averaged over cells),
        improvement_low, improvement_high (bootstrap over cells; NaN below three).
    """
    frame = _over_cells(_cells(_pairs(results)), ["refiner"])
    return frame.drop(columns="off").assign(p=holm(frame["p"].to_numpy(dtype=float)))


def by_method(results: pd.DataFrame) -> pd.DataFrame:
    """Every refiner on every method, over the method's cells.

    Returns:
        refiner, method, cells, off, gain, low, high (bootstrap over cells; NaN below three), wins,
        ties, losses, worst, p (Wilcoxon, zeros split; NaN below six cells), effect, improvement,
        improvement_low, improvement_high (all as in ``overall``), p_holm (corrected over the
        methods of one refiner). Refiners and methods in the order of first appearance.
    """
    found = _cells(_pairs(results))
    frame = _over_cells(found, ["refiner", "method"])
    # The frame is by first appearance of a pair; a missing cell must not tear a refiner apart.
    order = np.lexsort(
        [
            pd.Index(found[column].unique()).get_indexer(pd.Index(frame[column]))
            for column in ("method", "refiner")
        ]
    )
    frame = frame.iloc[order].reset_index(drop=True)
    p = frame["p"].to_numpy(dtype=float)
    corrected = np.full(len(p), np.nan)
    for rows in frame.groupby("refiner", sort=False).indices.values():
        corrected[rows] = holm(p[rows])
    return frame.assign(p_holm=corrected)


def association(
    frame: pd.DataFrame, column: str, value: str = "gain", seed: int = 0
) -> Association:
    """Whether ``value`` rises or falls with ``column`` over the rows of a frame (its cells).

    For example gain against noise rate, or against the accuracy of ``off``. Rows that lack either
    number are left out. Cells of one data set are less independent than the test takes them to be.

    Raises:
        ValueError: the frame lacks a column.
    """
    absent = [name for name in (column, value) if name not in frame]
    if absent:
        raise ValueError(f"the frame lacks the columns {absent}")
    first, second = (frame[name].to_numpy(dtype=float) for name in (column, value))
    both = np.isfinite(first) & np.isfinite(second)
    return rank_correlation(first[both], second[both], seed)


class _Pairs(NamedTuple):
    """The trainings with a refiner on and off.

    Attributes:
        frame: all rows with a result.
        rows: those with a refiner on and a pair ``(pairs,)``.
        off, on: their accuracies ``(pairs,)``.
        cells: their groups by cell and refiner.
    """

    frame: pd.DataFrame
    rows: Array
    off: Array
    on: Array
    cells: Groups


def _pairs(results: pd.DataFrame) -> _Pairs:
    found = tidy(results)
    accuracy = found.frame["test_accuracy"].to_numpy(dtype=float)
    is_off = (found.frame["refiner"] == "off").to_numpy()
    training = found.groups([*CELL, "seed"])
    off = np.full(len(training.first), np.nan)
    off[training.number[is_off]] = accuracy[is_off]
    rows = np.flatnonzero(~is_off & ~np.isnan(off[training.number]))
    cells = number([found.codes[column][rows] for column in BY])
    return _Pairs(found.frame, rows, off[training.number[rows]], accuracy[rows], cells)


def _cells(found: _Pairs) -> pd.DataFrame:
    """dataset, noise, method, refiner, seeds, off, gain, better (share of seeds that gain)."""
    gains = found.on - found.off
    signs = np.where(np.abs(gains) < SMALLEST, 0.0, np.sign(gains))
    return plain_columns(found.frame.iloc[found.rows[found.cells.first]], BY).assign(
        seeds=found.cells.sizes,
        off=found.cells.means(found.off),
        gain=found.cells.means(gains),
        better=found.cells.means((1 + signs) / 2),
    )


def _over_cells(cells: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Cells that agree in some columns, summed up; p without a correction."""
    groups = number([codes(cells[column]) for column in columns])
    gain = cells["gain"].to_numpy(dtype=float)
    gain = np.where(np.abs(gain) < SMALLEST, 0.0, gain)
    better = cells["better"].to_numpy(dtype=float)
    figures = np.full((len(FIGURES), len(groups.first)), np.nan)
    for members, (gains, shares) in groups.by_size(gain, better):
        figures[:, members] = _figures(gains, shares)
    frame = plain_columns(cells.iloc[groups.first], columns)
    frame = frame.assign(cells=groups.sizes, off=groups.means(cells["off"].to_numpy(dtype=float)))
    frame = frame.assign(**dict(zip(FIGURES, figures, strict=True)))
    return frame.astype({"wins": int, "ties": int, "losses": int})


FIGURES = (
    *("gain", "low", "high", "wins", "ties", "losses", "worst", "p", "effect"),
    *("improvement", "improvement_low", "improvement_high"),
)


def _figures(gains: Array, shares: Array) -> Array:
    """One column a group: what ``FIGURES`` names, of gains and shares ``(m, n)`` of its cells."""
    both = bootstraps(np.concatenate([gains, shares]))
    gained, improved = (slice(0, len(gains)), slice(len(gains), None))
    return np.vstack(
        [
            *(bound[gained] for bound in both),
            (gains > 0).sum(axis=1),
            (gains == 0).sum(axis=1),
            (gains < 0).sum(axis=1),
            gains.min(axis=1),
            wilcoxon(gains.T),
            rank_biserial(gains.T),
            *(bound[improved] for bound in both),
        ]
    )
