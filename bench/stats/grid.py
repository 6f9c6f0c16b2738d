"""Cell means as a table of blocks by methods, holes and all."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.stats.frame import BLOCK, CELL
from bench.stats.groups import Array, codes, number, plain

ALL, COMMON = "all", "common"
"""What becomes of holes: a method with one is not ranked; a block with one does not count."""

Block = tuple[Any, Any]


class Grid(NamedTuple):
    """Every method in every block.

    Attributes:
        means: ``(blocks, methods)``, NaN for a cell without a result.
        blocks: (data set, noise), in the order of first appearance.
        methods: in the order of first appearance.
    """

    means: Array
    blocks: list[Block]
    methods: list[Any]

    @property
    def filled(self) -> Array:
        """True for cells with a result ``(blocks, methods)``."""
        return ~np.isnan(self.means)

    @property
    def complete(self) -> Array:
        """True for methods with a result in every block ``(methods,)``."""
        return np.asarray(self.filled.all(axis=0))

    @property
    def common(self) -> Array:
        """True for blocks in which every method has a result ``(blocks,)``."""
        return np.asarray(self.filled.all(axis=1))

    def ranked(self, holes: str) -> tuple[Array, Array]:
        """Which blocks count and which methods are ranked over them, as two masks.

        Args:
            holes: ``all``: every block counts, and methods that lack any are not ranked;
                ``common``: only blocks count that no method lacks, and all methods are ranked,
                unless there is no such block.

        Raises:
            ValueError: ``holes`` is neither.
        """
        if holes == ALL:
            return np.ones(len(self.blocks), dtype=bool), self.complete
        if holes == COMMON:
            return self.common, np.full(len(self.methods), self.common.any())
        raise ValueError(f"holes must be {ALL!r} or {COMMON!r}, and not {holes!r}")


def grid(cells: pd.DataFrame) -> Grid:
    """The table of a frame of cells.

    Args:
        cells: dataset, noise, method, mean, as ``leaderboard.cells`` gives them.

    Raises:
        ValueError: a column is missing, or a cell is there twice or has no mean.
    """
    absent = [column for column in (*CELL, "mean") if column not in cells]
    if absent:
        raise ValueError(f"cells lack the columns {absent}")
    coded = {column: codes(cells[column]) for column in CELL}
    blocks = number([coded[column] for column in BLOCK])
    methods = number([coded["method"]])
    means = np.full((len(blocks.first), len(methods.first)), np.nan)
    found = cells["mean"].to_numpy(dtype=float)
    if np.isnan(found).any():
        raise ValueError(f"{int(np.isnan(found).sum())} cells have no mean")
    means[blocks.number, methods.number] = found
    if int((~np.isnan(means)).sum()) < len(cells):
        raise ValueError("a cell is there twice; average its seeds first")
    named = plain_columns(cells.iloc[blocks.first], BLOCK)
    return Grid(
        means,
        list(named.itertuples(index=False, name=None)),
        plain(cells["method"].iloc[methods.first]).tolist(),
    )


def plain_columns(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Some columns without categories, rows numbered anew."""
    return pd.DataFrame({name: plain(frame[name]) for name in columns}).reset_index(drop=True)
