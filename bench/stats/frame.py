"""The tidy frame that statistics work on, and the refusal of anything else.

One row is one training under one refiner: ``dataset, noise, method, seed, refiner,
test_accuracy``. Accuracies are shares in 0..1. Statistics are pure: no files, no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from bench.stats.groups import Array, Groups, codes, number

CELL = ["dataset", "noise", "method"]
BLOCK = ["dataset", "noise"]
COLUMNS = [*CELL, "seed", "refiner", "test_accuracy"]


class Tidy(NamedTuple):
    """A checked frame with its key columns as numbers, so that each is read once.

    Attributes:
        frame: the rows with a result.
        codes: for every column but the accuracy, a whole number a row ``(rows,)``.
    """

    frame: pd.DataFrame
    codes: dict[str, Array]

    def groups(self, columns: Sequence[str]) -> Groups:
        """Rows that agree in some key columns."""
        return number([self.codes[column] for column in columns])

    def only(self, rows: Array) -> Tidy:
        """Some of the rows, by a mask ``(rows,)``."""
        return Tidy(self.frame[rows], {name: code[rows] for name, code in self.codes.items()})


def validate(results: pd.DataFrame) -> pd.DataFrame:
    """The rows with a result, checked.

    Raises:
        ValueError: a column is missing, a run is there twice, or an accuracy is not in 0..1.
    """
    return tidy(results).frame


def tidy(results: pd.DataFrame) -> Tidy:
    """The rows with a result, checked, with their keys as numbers.

    Raises:
        ValueError: a column is missing, a run is there twice, or an accuracy is not in 0..1.
    """
    missing = [column for column in COLUMNS if column not in results]
    if missing:
        raise ValueError(f"results lack the columns {missing}")
    known = results["test_accuracy"].notna().to_numpy()
    frame = results[COLUMNS] if known.all() else results.loc[known, COLUMNS]
    frame = frame.assign(test_accuracy=frame["test_accuracy"].astype(float))
    outside = int((~frame["test_accuracy"].between(0, 1)).sum())
    if outside:
        raise ValueError(f"accuracies must be shares in 0..1; {outside} are not")
    found = Tidy(frame, {column: codes(frame[column]) for column in COLUMNS[:-1]})
    runs = found.groups(COLUMNS[:-1])
    if len(runs.first) < len(frame):
        again = runs.number[1:] <= runs.number[:-1]
        row = frame.iloc[1 + int(again.argmax())]
        raise ValueError(
            f"two results for one run: {row['method']} on {row['dataset']}, {row['noise']}, "
            f"seed {row['seed']}, refiner {row['refiner']}"
        )
    return found
