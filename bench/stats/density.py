"""How full a board is: what is missing, by name, and what every method has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.stats.frame import CELL
from bench.stats.grid import Block, grid, plain_columns
from bench.stats.groups import plain

MOST_NAMED = 20
"""Missing cells that an error names one by one."""


@dataclass(frozen=True)
class Density:
    """What of a board is there.

    Attributes:
        share: cells with a result, of all cells that are asked for or in the rectangle; NaN where
            there is none.
        missing: dataset, noise, method of the others: first what is asked for in its order, then
            the rest of the rectangle block by block.
        common: the blocks (dataset, noise) in which every method with any result has one.
        complete: the methods with a result in every block that has any.
    """

    share: float
    missing: pd.DataFrame
    common: list[Block]
    complete: list[Any]


def density(cells_frame: pd.DataFrame, asked: pd.DataFrame | None = None) -> Density:
    """What is missing of the rectangle of methods and blocks seen, and of the plan.

    Args:
        cells_frame: the cells with a result, as ``leaderboard.cells`` gives them.
        asked: dataset, noise, method of the cells that the plan asks for, where it is known; rows
            may repeat.

    Raises:
        ValueError: the cells are not tidy, or ``asked`` lacks a column.
    """
    table = grid(cells_frame)
    missing, extra = _rectangle_holes(cells_frame), 0
    if asked is not None:
        absent = [column for column in CELL if column not in asked]
        if absent:
            raise ValueError(f"the cells asked for lack the columns {absent}")
        wanted = plain_columns(asked, CELL).drop_duplicates()
        unmet = _without(wanted, plain_columns(cells_frame, CELL))
        outside = _without(unmet, missing)
        extra = len(outside)
        missing = pd.concat([unmet, _without(missing, unmet)], ignore_index=True)
    every = table.means.size + extra
    return Density(
        (every - len(missing)) / every if every else float("nan"),
        missing,
        [block for block, full in zip(table.blocks, table.common, strict=True) if full],
        [method for method, full in zip(table.methods, table.complete, strict=True) if full],
    )


def require_complete(cells_frame: pd.DataFrame) -> None:
    """Refuse a board with holes.

    Raises:
        ValueError: a method lacks a block that another has; the cells are named, up to twenty.
    """
    missing = _rectangle_holes(cells_frame)
    if missing.empty:
        return
    named = [
        f"{method} on {dataset}, {noise}"
        for dataset, noise, method in missing.head(MOST_NAMED).itertuples(index=False, name=None)
    ]
    more = len(missing) - len(named)
    end = f"; and {more} more" if more else ""
    count = "1 cell is" if len(missing) == 1 else f"{len(missing)} cells are"
    raise ValueError(f"{count} missing: {'; '.join(named)}{end}")


def _rectangle_holes(cells_frame: pd.DataFrame) -> pd.DataFrame:
    """What some method or block has and another lacks, block by block."""
    table = grid(cells_frame)
    rows = [(*table.blocks[i], table.methods[j]) for i, j in np.argwhere(~table.filled)]
    kinds = {name: plain(cells_frame[name]).dtype for name in CELL}
    return pd.DataFrame(rows, columns=CELL).astype(kinds)


def _without(rows: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """The rows that are not among the others, in their order."""
    if rows.empty or others.empty:
        return rows.reset_index(drop=True)
    joined = rows.merge(others, how="left", on=CELL, indicator=True)
    return joined.loc[joined["_merge"] == "left_only", CELL].reset_index(drop=True)
