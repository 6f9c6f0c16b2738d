"""The tidy frame that statistics work on, and the refusal of anything else.

One row is one training under one refiner: ``dataset, noise, method, seed, refiner,
test_accuracy``. Accuracies are shares in 0..1. Statistics are pure: no files, no database.
"""

from __future__ import annotations

import pandas as pd

CELL = ["dataset", "noise", "method"]
BLOCK = ["dataset", "noise"]
COLUMNS = [*CELL, "seed", "refiner", "test_accuracy"]


def validate(results: pd.DataFrame) -> pd.DataFrame:
    """The rows with a result, checked.

    Raises:
        ValueError: a column is missing, a run is there twice, or an accuracy is not in 0..1.
    """
    missing = [column for column in COLUMNS if column not in results]
    if missing:
        raise ValueError(f"results lack the columns {missing}")
    frame = results.loc[results["test_accuracy"].notna(), COLUMNS].copy()
    frame["test_accuracy"] = frame["test_accuracy"].astype(float)
    outside = frame[~frame["test_accuracy"].between(0, 1)]
    if len(outside):
        raise ValueError(f"accuracies must be shares in 0..1; {len(outside)} are not")
    doubled = frame[frame.duplicated([*CELL, "seed", "refiner"])]
    if len(doubled):
        row = doubled.iloc[0]
        raise ValueError(
            f"two results for one run: {row['method']} on {row['dataset']}, {row['noise']}, "
            f"seed {row['seed']}, refiner {row['refiner']}"
        )
    return frame
