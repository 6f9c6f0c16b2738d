"""What a refiner gives or takes: paired over seeds inside a cell, tested over cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.stats.frame import CELL, validate
from bench.stats.intervals import bootstrap, student

SMALLEST = 1e-7
"""A mean gain below this is none: one test sample of a million, averaged over ten seeds."""


def paired(results: pd.DataFrame) -> pd.DataFrame:
    """One row a training and refiner other than ``off``, with the gain over ``off``.

    Both come from the same trained weights. Trainings without ``off`` have no pair and no row.

    Returns:
        dataset, noise, method, seed, refiner, off, on, gain (all as shares).
    """
    frame = validate(results)
    key = [*CELL, "seed"]
    off = frame[frame["refiner"] == "off"].rename(columns={"test_accuracy": "off"})
    on = frame[frame["refiner"] != "off"].rename(columns={"test_accuracy": "on"})
    joined = on.merge(off[[*key, "off"]], on=key, how="inner", validate="many_to_one")
    joined["gain"] = joined["on"] - joined["off"]
    return joined[[*key, "refiner", "off", "on", "gain"]]


def by_cell(results: pd.DataFrame) -> pd.DataFrame:
    """Mean paired gain of every cell and refiner, with a Student t interval over seeds.

    Returns:
        dataset, noise, method, refiner, seeds, off, gain, low, high.
    """
    rows = []
    for key, group in paired(results).groupby([*CELL, "refiner"], sort=False):
        interval = student(group["gain"].tolist())
        rows.append(
            [*key, interval.n, group["off"].mean(), interval.mean, interval.low, interval.high]
        )
    return pd.DataFrame(rows, columns=[*CELL, "refiner", "seeds", "off", "gain", "low", "high"])


def overall(results: pd.DataFrame) -> pd.DataFrame:
    """Every refiner over all cells.

    A cell is a win or a loss by the sign of its mean gain; a tie is a gain of 0 (smaller than any
    test set can resolve, as sums of seeds that cancel are not exactly 0). ``p`` is
    the Wilcoxon signed-rank test over cells (two-sided, zeros split), corrected by Holm over the
    refiners; NaN below six cells, where no such test can reach 0.05.

    Returns:
        refiner, cells, gain, low, high (bootstrap over cells), wins, ties, losses, worst (the
        lowest cell mean), p.
    """
    rows = []
    for refiner, group in by_cell(results).groupby("refiner", sort=False):
        gains = group["gain"].to_numpy(dtype=float)
        gains = np.where(np.abs(gains) < SMALLEST, 0.0, gains)
        interval = bootstrap(gains.tolist())
        rows.append(
            {
                "refiner": refiner,
                "cells": len(gains),
                "gain": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "wins": int((gains > 0).sum()),
                "ties": int((gains == 0).sum()),
                "losses": int((gains < 0).sum()),
                "worst": float(gains.min()),
                "p": _wilcoxon(gains),
            }
        )
    columns = ["refiner", "cells", "gain", "low", "high", "wins", "ties", "losses", "worst", "p"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["p"] = holm(frame["p"].to_numpy(dtype=float))
    return frame


def holm(p: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """Holm's step-down correction; NaN stays NaN and does not count as a test."""
    adjusted = np.full(len(p), np.nan)
    order = [i for i in np.argsort(p) if not np.isnan(p[i])]
    running = 0.0
    for step, position in enumerate(order):
        running = max(running, (len(order) - step) * float(p[position]))
        adjusted[position] = min(1.0, running)
    return [float(value) for value in adjusted]


def _wilcoxon(gains: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    if len(gains) < 6:
        return float("nan")
    if not gains.any():
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(gains, zero_method="zsplit").pvalue)
