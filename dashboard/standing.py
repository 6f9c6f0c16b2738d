"""Ranks and cells of a board beside what the plan asks for, so that every hole has a name."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.stats.frame import BLOCK, CELL
from bench.stats.leaderboard import cells, leaderboard

MISSING, FAILED, LEFT_OUT, NO_VALUE = "missing", "failed", "left out", "no value"
"""Why a cell is empty: not run yet; every try failed; excluded by the plan; not evaluated."""


@dataclass(frozen=True)
class Standing:
    """Methods under one refiner and one selector.

    Attributes:
        table: method, rank, mean, low, high, cells, complete: ranked methods first, then those
            with holes; a planned method without any result is there too.
        cells: dataset, noise, method, seeds, planned, mean, low, high: cells with a result.
        blocks: (data set, noise) in the order of the plan, with a result or not.
        holes: dataset, noise, method, why: cells without a result.
        silent: blocks where no method has a result; ranks are over the others.
    """

    table: pd.DataFrame
    cells: pd.DataFrame
    blocks: list[tuple[str, str]]
    holes: pd.DataFrame
    silent: list[tuple[str, str]]

    @property
    def ranked(self) -> pd.DataFrame:
        """The methods that have a rank."""
        return self.table[self.table["complete"]]

    @property
    def least_seeds(self) -> int:
        """The fewest seeds of any cell; 0 where there is none."""
        return int(self.cells["seeds"].min()) if len(self.cells) else 0

    @property
    def most_seeds(self) -> int:
        """The most seeds of any cell; 0 where there is none."""
        return int(self.cells["seeds"].max()) if len(self.cells) else 0


def make_standing(
    results: pd.DataFrame, planned: pd.DataFrame, excluded: pd.DataFrame, refiner: str
) -> Standing:
    """Join statistics with the plan.

    Args:
        results: a row a training and refiner, as ``bench.stats`` takes them.
        planned: every training of the board: dataset, noise, method, seed, status.
        excluded: cells that the plan leaves out.
        refiner: whose results to rank.
    """
    asked = planned.groupby(CELL, sort=False).agg(
        planned=("seed", "size"), statuses=("status", set)
    )
    asked = asked.reset_index()
    found = cells(results, refiner).merge(asked[[*CELL, "planned"]], on=CELL, how="left")
    blocks = _pairs(asked)
    silent = [block for block in blocks if block not in set(_pairs(found))]
    methods = list(dict.fromkeys([*asked["method"], *excluded["method"]]))
    return Standing(
        table=_with_all(leaderboard(results, refiner), methods),
        cells=found,
        blocks=blocks,
        holes=_holes(found, asked, blocks, methods),
        silent=silent,
    )


def _pairs(frame: pd.DataFrame) -> list[tuple[str, str]]:
    unique = frame[BLOCK].drop_duplicates()
    return list(zip(unique["dataset"], unique["noise"], strict=True))


def _with_all(board: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    absent = [method for method in methods if method not in set(board["method"])]
    nothing = float("nan")
    rows = [
        {"method": m, "rank": nothing, "mean": nothing, "low": nothing, "high": nothing}
        | {"cells": 0, "complete": False}
        for m in absent
    ]
    frame = pd.concat([board, pd.DataFrame(rows)]) if len(board) else pd.DataFrame(rows)
    return (frame if rows else board).reset_index(drop=True).astype({"complete": bool})


def _holes(
    found: pd.DataFrame, asked: pd.DataFrame, blocks: list[tuple[str, str]], methods: list[str]
) -> pd.DataFrame:
    have = set(found[CELL].itertuples(index=False, name=None))
    statuses = {tuple(row[:3]): row[3] for row in asked[[*CELL, "statuses"]].to_numpy()}
    rows = []
    for method in methods:
        for block in blocks:
            cell = (*block, method)
            if cell not in have:
                rows.append((*cell, _why(statuses.get(cell))))
    return pd.DataFrame(rows, columns=[*CELL, "why"])


def _why(statuses: set[str] | None) -> str:
    if statuses is None:
        return LEFT_OUT
    if "done" in statuses:
        return NO_VALUE
    return MISSING if "missing" in statuses else FAILED
