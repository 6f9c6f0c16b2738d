"""Methods two by two over blocks: who wins how often, and Wilcoxon's test of every pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.stats.gains import SMALLEST
from bench.stats.groups import Array
from bench.stats.holm import holm
from bench.stats.ranks import average_ranks
from bench.stats.signed_rank import wilcoxon

CHUNK = 4_000_000
"""Differences that are in memory at once."""


@dataclass(frozen=True)
class WinMatrix:
    """In how many blocks the method of the row is above, level with or below that of the column.

    Attributes:
        wins, ties, losses: whole numbers, methods by methods; 0 on the diagonal.
    """

    wins: pd.DataFrame
    ties: pd.DataFrame
    losses: pd.DataFrame


def wilcoxon_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon's signed-rank test over blocks for every pair of methods.

    Args:
        table: a row a block, a column a method, as ``ranks.block_table`` gives it.

    Returns:
        method, other (the method of the better average rank first; pairs in rank order), wins,
        ties, losses (blocks, as ``method`` sees them), difference (mean over blocks, ``method``
        minus ``other``), p (two-sided, zeros split; NaN below six blocks), p_holm (corrected over
        all pairs).
    """
    order = np.argsort(average_ranks(table).to_numpy(dtype=float), kind="stable")
    names = table.columns[order]
    values = table.to_numpy(dtype=float)[:, order]
    first, second = np.triu_indices(len(names), 1)
    figures = np.full((5, len(first)), np.nan)
    width = max(1, CHUNK // max(1, len(values)))
    for start in range(0, len(first), width):
        part = slice(start, start + width)
        figures[:, part] = _compare(values[:, first[part]] - values[:, second[part]])
    wins, ties, losses, difference, p = figures
    return pd.DataFrame(
        {
            "method": names[first],
            "other": names[second],
            "wins": wins.astype(int),
            "ties": ties.astype(int),
            "losses": losses.astype(int),
            "difference": difference,
            "p": p,
            "p_holm": holm(p),
        }
    )


def win_matrix(table: pd.DataFrame) -> WinMatrix:
    """Wins, ties and losses of every method against every other.

    Args:
        table: a row a block, a column a method; a difference below ``SMALLEST`` is a tie.
    """
    values = table.to_numpy(dtype=float)
    wins = np.zeros((values.shape[1],) * 2, dtype=int)
    for method in range(len(wins)):
        wins[method] = (values[:, [method]] - values >= SMALLEST).sum(axis=0)
    ties = len(values) - wins - wins.T
    np.fill_diagonal(ties, 0)
    frames = (
        pd.DataFrame(counts, index=table.columns, columns=table.columns)
        for counts in (wins, ties, wins.T.copy())
    )
    return WinMatrix(*frames)


def _compare(differences: Array) -> Array:
    """Wins, ties, losses, mean and p of every column ``(5, pairs)``."""
    n, pairs = differences.shape
    if n == 0:
        return np.vstack([np.zeros((3, pairs)), np.full((2, pairs), np.nan)])
    settled = np.where(np.abs(differences) < SMALLEST, 0.0, differences)
    return np.vstack(
        [
            (settled > 0).sum(axis=0),
            (settled == 0).sum(axis=0),
            (settled < 0).sum(axis=0),
            differences.mean(axis=0),
            wilcoxon(settled),
        ]
    )
