"""What the best k of every training would have gained: test labels choose it, so it is no result.

It is the ceiling of any rule for k, stands beside the gains, and is never ranked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.stats.gains import by_cell, paired


def oracle_gains(results: pd.DataFrame) -> pd.DataFrame:
    """The gain over ``off`` of the k with the best test accuracy, chosen anew in each training.

    Seeds are averaged inside a cell and cells with equal weight, as for the gains. A refiner that
    has no k, or of which no curve was stored, has no row.

    Args:
        results: the tidy frame with the column ``curve``: ``[[k, noisy validation, test], ...]``
            as a list or as JSON, empty where there is no k.

    Returns:
        refiner, oracle, cells, trainings, lacking (trainings with a pair of on and off that have no
        curve, and are in no mean).

    Raises:
        ValueError: the frame is not tidy, or has no column ``curve``.
    """
    if "curve" not in results:
        raise ValueError("results lack the columns ['curve']")
    off = results["refiner"] == "off"
    best = results["test_accuracy"].where(off, [_best(curve) for curve in results["curve"]])
    # Curves are stored rounded; the k that was taken is on them, so the best is not below it.
    best = best.where(off | best.isna(), best.combine(results["test_accuracy"], max))
    best = best.where(results["test_accuracy"].notna())
    with_curve = paired(results.assign(test_accuracy=best))
    trainings = with_curve["refiner"].value_counts()
    every = paired(results)["refiner"].value_counts()
    rows = [
        [name, group["gain"].mean(), len(group), int(trainings[name])]
        for name, group in by_cell(results.assign(test_accuracy=best)).groupby(
            "refiner", sort=False
        )
    ]
    frame = pd.DataFrame(rows, columns=["refiner", "oracle", "cells", "trainings"])
    return frame.assign(lacking=[int(every[n] - trainings[n]) for n in frame["refiner"]])


def _best(curve: str | Sequence[Sequence[float]] | float | None) -> float:
    """The highest test accuracy of a curve; NaN where there is none."""
    points: Any = json.loads(curve) if isinstance(curve, str) else curve
    if not isinstance(points, Sequence):
        return float("nan")
    return max((float(test) for _, _, test in points), default=float("nan"))
