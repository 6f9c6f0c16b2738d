"""Every cell of a board as a table of plain numbers, for scripts."""

from __future__ import annotations

import math

import pandas as pd

from bench.report.tables import Table
from bench.stats.frame import CELL
from bench.stats.leaderboard import cells

COLUMNS = (*CELL, "refiner", "seeds", "planned", "mean", "low", "high")


def cells_table(results: pd.DataFrame, asked: pd.DataFrame) -> Table:
    """A row a cell and refiner: its mean with the interval over seeds, as shares with 6 digits.

    Args:
        results: one row a training and refiner.
        asked: dataset, noise, method, planned.
    """
    parts = [
        cells(results, refiner).assign(refiner=refiner)
        for refiner in dict.fromkeys(results["refiner"])
    ]
    frame = pd.concat(parts, ignore_index=True).merge(asked, on=CELL, how="left")
    rows = [
        (
            *(str(row[name]) for name in (*CELL, "refiner")),
            str(row["seeds"]),
            "" if math.isnan(row["planned"]) else f"{row['planned']:.0f}",
            *("" if math.isnan(row[name]) else f"{row[name]:.6f}" for name in COLUMNS[-3:]),
        )
        for row in frame.to_dict("records")
    ]
    return Table(
        "Cells",
        COLUMNS,
        tuple(rows),
        ("Shares, not percent; low and high: 95 % Student t interval over seeds.",),
        prose=frozenset({"dataset"}),
    )
