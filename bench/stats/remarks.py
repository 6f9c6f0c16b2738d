"""Where a board has too little for what is read off it, in words."""

from __future__ import annotations

import pandas as pd

from bench.stats.signed_rank import LEAST

FEW_BLOCKS = 10
"""Friedman's chi-square is poor with no more blocks than this (Demšar 2006, section 3.2.2)."""


def remarks(cells_frame: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """What a reader must know of how little there is; nothing where nothing applies.

    Args:
        cells_frame: as ``leaderboard.cells`` gives it.
        table: the ranked methods over the blocks that count, as ``ranks.block_table`` gives it.

    Returns:
        Whole sentences: first of seeds, then of blocks and tests.
    """
    if cells_frame.empty:
        return []
    return [*_of_seeds(cells_frame), *_of_blocks(table)]


def _of_seeds(cells_frame: pd.DataFrame) -> list[str]:
    seeds = cells_frame["seeds"].to_numpy(dtype=int)
    few, one = int((seeds < 3).sum()), int((seeds == 1).sum())
    found = []
    if few:
        found.append(
            f"{_of(few, len(seeds))} fewer than three seeds: differences there say little."
        )
    if one:
        found.append(f"{_of(one, len(seeds))} one seed only, and so no interval over seeds.")
    return found


def _of(some: int, every: int) -> str:
    if some == every:
        return "All cells have" if every > 1 else "The only cell has"
    return f"{some} of {every} cells {'has' if some == 1 else 'have'}"


def _of_blocks(table: pd.DataFrame) -> list[str]:
    n, k = table.shape
    if n == 0 or k == 0:
        return ["No method can be ranked: there is no block that every ranked method has."]
    found = []
    blocks = "1 block" if n == 1 else f"{n} blocks"
    if n < 3:
        found.append(f"{blocks} only: too few for an interval over blocks, which needs three.")
    if n < LEAST and k > 1:
        found.append(f"With {blocks} no Wilcoxon test is made: below six it cannot reach p = 0.05.")
    if k == 2:
        found.append("Two methods: Friedman's test needs three, so Wilcoxon's is the one to read.")
    if k > 2 and n == 1:
        found.append("Friedman's test needs two blocks.")
    if k > 2 and 2 <= n <= FEW_BLOCKS:
        found.append(
            f"With {blocks} Friedman's chi-square is poorly approximated: read the F form of Iman "
            "and Davenport."
        )
    if n > 1 and table.index.get_level_values("dataset").nunique() == 1:
        found.append(
            "All blocks are of one data set: its cells share data and are less independent than "
            "the tests take them to be."
        )
    return found
