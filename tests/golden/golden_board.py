"""The pinned figures of the golden leaderboard, and its scores by pandas alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent
DATABASE = HERE / "leaderboard.db"
EXPECTED = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))

SUITES = sorted(EXPECTED)
PARTS = sorted(EXPECTED["digits"])
RANKINGS = [(suite, refiner) for suite in SUITES for refiner in EXPECTED[suite]["rankings"]]
MANY = [(s, r) for s, r in RANKINGS if len(EXPECTED[s]["rankings"][r]["leaderboard"]) > 2]
"""Rankings of three methods or more, of which Friedman's test can be made."""


def block_means(results: pd.DataFrame, refiner: str) -> pd.DataFrame:
    """Means over seeds: a row a block, a column a method. Pandas alone, none of our code."""
    kept = results[results["refiner"] == refiner]
    return kept.pivot_table("test_accuracy", ["dataset", "noise"], "method", aggfunc="mean")


def cell_gains(results: pd.DataFrame, refiner: str) -> pd.Series:
    """Mean gain of every cell, by pandas alone."""
    wide = results.pivot_table("test_accuracy", ["dataset", "noise", "method", "seed"], "refiner")
    gains = (wide[refiner] - wide["off"]).dropna()
    return gains.groupby(["dataset", "noise", "method"], sort=False).mean().round(9)


def pinned_ranking(suite: str, refiner: str) -> dict[str, Any]:
    """The ranking in the file."""
    return dict(EXPECTED[suite]["rankings"][refiner])


def by(rows: list[dict[str, Any]], *keys: str) -> dict[Any, dict[str, Any]]:
    """Rows of a table in the file by some of its columns."""
    return {tuple(row[key] for key in keys) if len(keys) > 1 else row[keys[0]]: row for row in rows}
