"""Ranking methods: seeds are averaged inside a cell, cells are the blocks, holes are shown."""

from __future__ import annotations

import pandas as pd

from bench.stats.frame import BLOCK, CELL, validate
from bench.stats.intervals import bootstrap, student


def cells(results: pd.DataFrame, refiner: str = "off") -> pd.DataFrame:
    """Every cell under one refiner, seeds averaged.

    Returns:
        dataset, noise, method, seeds, mean, low, high (Student t over seeds; NaN for one seed),
        in the order in which the cells first appear.
    """
    frame = validate(results)
    frame = frame[frame["refiner"] == refiner]
    rows = []
    for key, group in frame.groupby(CELL, sort=False):
        interval = student(group["test_accuracy"].tolist())
        rows.append([*key, interval.n, interval.mean, interval.low, interval.high])
    return pd.DataFrame(rows, columns=[*CELL, "seeds", "mean", "low", "high"])


def missing_cells(results: pd.DataFrame, refiner: str = "off") -> pd.DataFrame:
    """Cells (dataset, noise, method) that other methods or blocks have and these do not."""
    have = cells(results, refiner)
    methods = have["method"].drop_duplicates()
    blocks = have[BLOCK].drop_duplicates()
    full = blocks.merge(methods, how="cross")
    joined = full.merge(have[CELL], how="left", indicator=True)
    return joined.loc[joined["_merge"] == "left_only", CELL].reset_index(drop=True)


def leaderboard(results: pd.DataFrame, refiner: str = "off") -> pd.DataFrame:
    """Methods by average rank over the blocks (1 is best; ties share the mean of their ranks).

    Only methods with a result in every block are ranked. The others follow without a rank or a
    mean, because an average over fewer cells compares with nothing.

    Returns:
        method, rank, mean, low, high (bootstrap over cells; NaN below three), cells, complete.
    """
    have = cells(results, refiner)
    if have.empty:
        columns = ["method", "rank", "mean", "low", "high", "cells", "complete"]
        return pd.DataFrame(columns=columns)
    table = have.pivot(index=BLOCK, columns="method", values="mean")
    table = table[list(dict.fromkeys(have["method"]))]
    complete = table.columns[table.notna().all()]
    ranks = table[complete].rank(axis=1, ascending=False, method="average").mean()
    rows = []
    for method in table.columns:
        known = table[method].dropna().tolist()
        if method in complete:
            interval = bootstrap(known)
            found = [ranks[method], interval.mean, interval.low, interval.high]
        else:
            found = [float("nan")] * 4
        rows.append([method, *found, len(known), method in complete])
    board = pd.DataFrame(
        rows, columns=["method", "rank", "mean", "low", "high", "cells", "complete"]
    )
    return board.sort_values(
        ["complete", "rank", "mean"], ascending=[False, True, False], kind="stable"
    ).reset_index(drop=True)
