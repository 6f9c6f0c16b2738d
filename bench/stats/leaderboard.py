"""Ranking methods: seeds are averaged inside a cell, cells are the blocks, holes are shown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.stats.density import density
from bench.stats.frame import CELL, tidy
from bench.stats.grid import ALL, grid, plain_columns
from bench.stats.intervals import bootstraps, students
from bench.stats.ranks import block_ranks

COLUMNS = ["method", "rank", "mean", "low", "high", "cells", "complete", "ranked_over"]


def cells(results: pd.DataFrame, refiner: str = "off") -> pd.DataFrame:
    """Every cell under one refiner, seeds averaged.

    Returns:
        dataset, noise, method, seeds, mean, low, high (Student t over seeds; NaN for one seed),
        in the order in which the cells first appear.
    """
    found = tidy(results)
    found = found.only((found.frame["refiner"] == refiner).to_numpy())
    groups = found.groups(CELL)
    interval = students(groups, found.frame["test_accuracy"].to_numpy(dtype=float))
    named = plain_columns(found.frame.iloc[groups.first], CELL)
    return named.assign(
        seeds=groups.sizes, mean=interval.mean, low=interval.low, high=interval.high
    )


def missing_cells(results: pd.DataFrame, refiner: str = "off") -> pd.DataFrame:
    """Cells (dataset, noise, method) that other methods or blocks have and these do not."""
    return density(cells(results, refiner)).missing


def leaderboard(results: pd.DataFrame, refiner: str = "off", holes: str = ALL) -> pd.DataFrame:
    """Methods by average rank over the blocks, as ``leaderboard_of`` gives them.

    Raises:
        ValueError: the frame is not tidy, or ``holes`` is unknown.
    """
    return leaderboard_of(cells(results, refiner), holes)


def leaderboard_of(cells_frame: pd.DataFrame, holes: str = ALL) -> pd.DataFrame:
    """Methods by average rank over the blocks (1 is best; ties share the mean of their ranks).

    With ``holes="all"`` only methods with a result in every block are ranked. The others follow
    without a rank or a mean, because an average over fewer cells compares with nothing. With
    ``holes="common"`` all methods are ranked, over the blocks in which each of them has a result;
    nobody is ranked where there is no such block. Nothing is ever imputed.

    Args:
        cells_frame: as ``cells`` gives it.
        holes: ``all`` or ``common``.

    Returns:
        method, rank, mean, low, high (bootstrap over cells; NaN below three), cells (with a
        result), complete (no block is missing), ranked_over (blocks that rank and mean are over; 0
        without a rank).

    Raises:
        ValueError: the cells are not tidy, or ``holes`` is unknown.
    """
    table = grid(cells_frame)
    blocks, methods = table.ranked(holes)
    if not table.methods:
        return pd.DataFrame(columns=COLUMNS)
    figures = np.full((4, len(methods)), np.nan)
    if methods.any():
        # Names and not arrival decide which draw is which block, so that a re-run changes nothing.
        kept = sorted(np.flatnonzero(blocks), key=lambda i: tuple(map(str, table.blocks[i])))
        values = table.means[np.ix_(kept, methods)]
        figures[0, methods] = block_ranks(values).mean(axis=0)
        figures[1:, methods] = bootstraps(np.ascontiguousarray(values.T))
    board = pd.DataFrame(
        {
            "method": table.methods,
            **dict(zip(("rank", "mean", "low", "high"), figures, strict=True)),
            "cells": table.filled.sum(axis=0),
            "complete": table.complete,
            "ranked_over": np.where(methods, blocks.sum(), 0),
        }
    )
    return board.sort_values(
        ["rank", "mean"], ascending=[True, False], kind="stable", na_position="last"
    ).reset_index(drop=True)
