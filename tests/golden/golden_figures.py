"""Every figure of a board that is pinned, as plain lists and numbers."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from bench.report.attribution import families_of
from bench.stats import gains, pairs, ranks
from bench.stats.attribution import attribution
from bench.stats.bradley_terry import strengths
from bench.stats.leaderboard import cells, leaderboard_of
from bench.store import reader, scores

DIGITS = 13
"""Of a number in the file: more than is compared, fewer than a change of processor changes."""


def results_of(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """The scores of all refiners as one tidy frame, as the dashboard reads them."""
    named = scores.cells(connection, board)
    names = scores.refiners(connection, board)
    parts = [scores.scores(connection, board, name, named) for name in names]
    plain = [part.astype({"refiner": object}) for part in parts]
    return pd.concat(plain, ignore_index=True).astype(
        dict.fromkeys(("dataset", "noise", "method"), object)
    )


def boards_of(connection: sqlite3.Connection) -> dict[str, str]:
    """Suite -> board."""
    return {
        str(suite): str(board)
        for suite, board in connection.execute("SELECT suite, board FROM boards ORDER BY suite")
    }


def figures_of(connection: sqlite3.Connection, board: str) -> dict[str, Any]:
    """All that is pinned of a board."""
    results = results_of(connection, board)
    families = families_of(reader.methods(connection, board), results)
    rankings = {refiner: ranking(results, refiner) for refiner in dict.fromkeys(results["refiner"])}
    found = {
        "rankings": rankings,
        "gains": _rows(gains.overall(results)),
        "gains by method": _rows(gains.by_method(results)),
        "gains by cell": _rows(gains.by_cell(results)),
        "attribution": _rows(attribution(results, families).verdicts),
    }
    return dict(_plain(found))


def ranking(results: pd.DataFrame, refiner: str) -> dict[str, Any]:
    """The leaderboard under one refiner with every test of it."""
    found = cells(results, refiner)
    table = ranks.block_table(found)
    average = ranks.average_ranks(table)
    difference = ranks.critical_difference(table.shape[1], len(table))
    order = average.sort_values(kind="stable").index
    nemenyi = ranks.nemenyi(table)
    wins = pairs.win_matrix(table)
    return {
        "leaderboard": _rows(leaderboard_of(found)),
        "cells": _rows(found),
        "friedman": asdict(ranks.friedman(table)),
        "critical difference": difference,
        "cliques": ranks.cliques(average, difference),
        "nemenyi": _square(nemenyi.loc[order, order]),
        "pairs": _rows(pairs.wilcoxon_pairs(table)),
        "wins": _square(wins.wins.loc[order, order]),
        "ties": _square(wins.ties.loc[order, order]),
        "strengths": _rows(strengths(table)),
    }


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def _square(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return {str(name): list(row) for name, row in zip(frame.index, frame.to_numpy(), strict=True)}


def _plain(value: Any) -> Any:
    """What JSON can hold; NaN and infinity as words."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else str(number)
    return str(value)
