"""One method against the others of its board, block by block."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from bench.stats.frame import BLOCK
from bench.stats.intervals import CONFIDENCE

COLUMNS = [*BLOCK, "seeds", "mean", "low", "high", "rank", "of", "best_method", "best", "median"]


def with_interval(values: pd.DataFrame, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Student t intervals from sums that a database made.

    Args:
        values: a row a cell with seeds, mean and square (the mean of squares).
        confidence: of the interval.

    Returns:
        The same with low and high instead of square; NaN for one seed.
    """
    n = values["seeds"].to_numpy(dtype=float)
    mean = values["mean"].to_numpy(dtype=float)
    squares = values["square"].to_numpy(dtype=float)
    freedom = np.where(n > 1, n - 1, np.nan)
    # Equal seeds leave a rounding error of either sign.
    variance = np.maximum(squares - np.square(mean), 0.0) * n / freedom
    half = special.stdtrit(freedom, 0.5 + confidence / 2) * np.sqrt(variance / n)
    return values.drop(columns="square").assign(low=mean - half, high=mean + half)


def beside_best(cells: pd.DataFrame, method: str) -> pd.DataFrame:
    """Every block in which a method has a value, with the best and the median of all methods.

    Args:
        cells: dataset, noise, method, seeds, mean, low, high of all methods.
        method: whose blocks.

    Returns:
        dataset, noise, seeds, mean, low, high, rank (ties share the mean of their ranks), of (how
        many methods have a value there), best_method (the method itself where it shares the lead),
        best, median, behind (mean minus best, never above 0; shares).
    """
    groups = cells.groupby(BLOCK, sort=False)["mean"]
    beside = cells.assign(
        rank=groups.rank(ascending=False, method="average"),
        of=groups.transform("size"),
        best=groups.transform("max"),
        median=groups.transform("median"),
        own=cells["method"] == method,
    )
    leads = beside[beside["mean"] == beside["best"]].sort_values(
        "own", ascending=False, kind="stable"
    )
    leads = leads.drop_duplicates(BLOCK)[[*BLOCK, "method"]]
    found = beside[beside["own"]].drop(columns=["method", "own"])
    found = found.merge(leads.rename(columns={"method": "best_method"}), on=BLOCK, how="left")
    return found[COLUMNS].assign(behind=found["mean"] - found["best"])


def cost_ratio(costs: pd.DataFrame, method: str, base: str) -> float:
    """Seconds a training beside those of another method, over the blocks that both have.

    Args:
        costs: dataset, noise, method, train_s.
        method: whose cost.
        base: the other method.

    Returns:
        The sum over shared blocks of the one divided by that of the other; NaN without any.
    """
    pairs = costs[costs["method"] == method].merge(
        costs[costs["method"] == base], on=BLOCK, suffixes=("", "_base")
    )
    pairs = pairs[(pairs["train_s_base"] > 0) & pairs["train_s"].notna()]
    if pairs.empty:
        return float("nan")
    return float(pairs["train_s"].sum() / pairs["train_s_base"].sum())
