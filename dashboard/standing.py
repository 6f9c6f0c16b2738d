"""Ranks and cells of a board beside what the plan asks for, so that every hole has a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from bench.stats.density import density
from bench.stats.frame import CELL
from bench.stats.leaderboard import cells, leaderboard_of
from bench.stats.ranks import block_table

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
        counted: blocks that ranks and means are over.
        ranks: accuracies that are ranked, a row a block and a column a ranked method.
    """

    table: pd.DataFrame
    cells: pd.DataFrame
    ranks: pd.DataFrame
    blocks: list[tuple[str, str]]
    holes: pd.DataFrame
    silent: list[tuple[str, str]]
    counted: list[tuple[str, str]]

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
    scores: pd.DataFrame,
    planned: pd.DataFrame,
    unfinished: pd.DataFrame,
    excluded: pd.DataFrame,
    holes: str,
    wanted: Callable[[pd.DataFrame], pd.DataFrame],
) -> Standing:
    """Join statistics with the plan.

    Args:
        scores: a row a training under one refiner, as ``bench.store.scores`` gives them.
        planned: every cell of the board by number: dataset, noise, method, planned.
        unfinished: trainings without a result: cell, status, trainings.
        excluded: cells that the plan leaves out.
        holes: ``all`` or ``common``, as ``bench.stats.leaderboard`` takes it.
        wanted: keeps the rows of a frame that the reader wants to see.
    """
    asked = wanted(planned)
    left_out = wanted(excluded)
    refiners = list(scores["refiner"].cat.categories)
    found = cells(wanted(scores), refiners[0]) if refiners else cells(scores)
    names = [found[column].astype(object) for column in CELL]
    found = found.assign(**dict(zip(CELL, names, strict=True)))
    plain = asked.astype(dict.fromkeys(CELL, object))
    found = found.merge(plain, on=CELL, how="left")
    blocks = _pairs(plain)
    have = set(_pairs(found))
    methods = list(dict.fromkeys([*plain["method"], *left_out["method"]]))
    counted = have
    if holes == "common":
        counted = set(density(found).common)
    return Standing(
        table=_with_all(leaderboard_of(found, holes), methods),
        cells=found,
        ranks=block_table(found, holes),
        blocks=blocks,
        holes=_holes(found, plain, unfinished, blocks, methods),
        silent=[block for block in blocks if block not in have],
        counted=[block for block in blocks if block in counted],
    )


def _pairs(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(dict.fromkeys(_keys(frame)))


def _keys(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(frame["dataset"], frame["noise"], strict=True))


def _with_all(board: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    there = set(board["method"])
    absent = [method for method in methods if method not in there]
    nothing = float("nan")
    rows = [
        {"method": m, "rank": nothing, "mean": nothing, "low": nothing, "high": nothing}
        | {"cells": 0, "complete": False}
        for m in absent
    ]
    frame = pd.concat([board, pd.DataFrame(rows)]) if len(board) else pd.DataFrame(rows)
    return (frame if rows else board).reset_index(drop=True).astype({"complete": bool})


def _holes(
    found: pd.DataFrame,
    asked: pd.DataFrame,
    unfinished: pd.DataFrame,
    blocks: list[tuple[str, str]],
    methods: list[str],
) -> pd.DataFrame:
    if len(found) == len(methods) * len(blocks):
        return pd.DataFrame(columns=[*CELL, "why"])
    have = set(zip(*(found[column] for column in CELL), strict=True))
    open_in = unfinished.groupby("cell")["status"].agg(set).to_dict()
    left = unfinished.groupby("cell")["trainings"].sum().to_dict()
    cells_asked = zip(*(asked[column] for column in CELL), strict=True)
    places = dict(zip(cells_asked, zip(asked.index, asked["planned"], strict=True), strict=True))
    rows = []
    for method in methods:
        for block in blocks:
            cell = (*block, method)
            if cell in have:
                continue
            number, planned = places.get(cell, (None, 0))
            if number is None:
                why = LEFT_OUT
            elif left.get(number, 0) < planned:
                why = NO_VALUE
            else:
                why = MISSING if "missing" in open_in[number] else FAILED
            rows.append((*cell, why))
    return pd.DataFrame(rows, columns=[*CELL, "why"])
