"""Average ranks over blocks, and which of them differ: Friedman, Nemenyi, critical difference.

After Demšar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7 (2006), 1-30.
A table has a row a block, a column a method, and no hole, as ``block_table`` gives it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import special

from bench.stats.frame import BLOCK
from bench.stats.gains import SMALLEST
from bench.stats.grid import ALL, grid
from bench.stats.groups import Array

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Friedman:
    """Do the methods' ranks differ at all?

    Attributes:
        statistic: Friedman's chi-square, corrected for ties.
        p: of it, with ``n_methods - 1`` degrees of freedom; needs many blocks.
        f_statistic: the F form of Iman and Davenport (1980), good for few blocks too; infinite
            where all blocks rank the methods alike.
        f_p: of it, with ``k - 1`` and ``(k - 1)(N - 1)`` degrees of freedom.
        n_methods, n_blocks: k and N.
    """

    statistic: float
    p: float
    f_statistic: float
    f_p: float
    n_methods: int
    n_blocks: int


def block_table(cells_frame: pd.DataFrame, holes: str = ALL) -> pd.DataFrame:
    """Cell means of the ranked methods (columns) over the blocks that count (dataset, noise).

    Args:
        cells_frame: as ``leaderboard.cells`` gives it.
        holes: ``all``: methods with a result in every block; ``common``: all methods, over the
            blocks in which each has a result.

    Raises:
        ValueError: the cells are not tidy, or ``holes`` is unknown.
    """
    found = grid(cells_frame)
    blocks, methods = found.ranked(holes)
    kept = [block for block, counts in zip(found.blocks, blocks, strict=True) if counts]
    return pd.DataFrame(
        found.means[np.ix_(blocks, methods)],
        index=pd.MultiIndex.from_arrays([[b[0] for b in kept], [b[1] for b in kept]], names=BLOCK),
        columns=pd.Index(
            [name for name, ranked in zip(found.methods, methods, strict=True) if ranked],
            name="method",
        ),
    )


def block_ranks(values: Array) -> Array:
    """Ranks inside each block ``(blocks, methods)``: 1 is the largest, ties share the mean.

    A difference below ``SMALLEST`` is a tie, as it is for gains: means of equal seeds may differ
    in the last bits.
    """
    n_methods = values.shape[1]
    ranks = np.empty(values.shape)
    for method in range(n_methods):
        ahead = values - values[:, [method]]
        better = (ahead >= SMALLEST).sum(axis=1)
        worse = (ahead <= -SMALLEST).sum(axis=1)
        ranks[:, method] = (n_methods + 1 + better - worse) / 2
    return ranks


def average_ranks(table: pd.DataFrame) -> pd.Series:
    """Mean rank of every method over the blocks, in the table's order; NaN without blocks."""
    if table.empty:
        return pd.Series(np.nan, index=table.columns, name="rank", dtype=float)
    ranks = block_ranks(table.to_numpy(dtype=float)).mean(axis=0)
    return pd.Series(ranks, index=table.columns, name="rank")


def friedman(table: pd.DataFrame) -> Friedman:
    """Friedman's test and its F form; all NaN with fewer than three methods or two blocks.

    Where every block ties all methods there is nothing to tell apart: both statistics are 0 and
    both p are 1.
    """
    n, k = table.shape
    if k < 3 or n < 2:
        nan = math.nan
        return Friedman(nan, nan, nan, nan, k, n)
    ranks = block_ranks(table.to_numpy(dtype=float))
    centred = ranks - (k + 1) / 2
    spread = float(np.square(centred).sum())
    if spread == 0:
        return Friedman(0.0, 1.0, 0.0, 1.0, k, n)
    # Conover's form: dividing by the spread of the ranks themselves is the correction for ties.
    statistic = (k - 1) * float(np.square(centred.sum(axis=0)).sum()) / spread
    left = n * (k - 1) - statistic
    alike = left < 1e-9 * n * (k - 1)
    f = math.inf if alike else (n - 1) * statistic / left
    f_p = 0.0 if alike else float(special.fdtrc(k - 1, (k - 1) * (n - 1), f))
    return Friedman(statistic, float(special.chdtrc(k - 1, statistic)), f, f_p, k, n)


@lru_cache(maxsize=256)
def critical_difference(n_methods: int, n_blocks: int, alpha: float = 0.05) -> float:
    """Average ranks that differ by at least this differ significantly (Nemenyi).

    ``CD = q_α sqrt(k (k + 1) / (6 N))``, where q_α is the upper quantile of the studentised range
    of k means with infinite degrees of freedom, divided by sqrt(2).

    Returns:
        In ranks; NaN for fewer than two methods or without blocks.

    Raises:
        ValueError: ``alpha`` is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, and not {alpha}")
    if n_methods < 2 or n_blocks < 1:
        return math.nan
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - alpha, n_methods, np.inf))
    return q / math.sqrt(2) * _rank_error(n_methods, n_blocks)


def nemenyi(table: pd.DataFrame) -> pd.DataFrame:
    """Nemenyi's p of every pair of methods, symmetric, 1 on the diagonal; NaN without blocks."""
    n, k = table.shape
    if k < 2 or n < 1:
        return pd.DataFrame(np.full((k, k), np.nan), index=table.columns, columns=table.columns)
    from scipy.stats import studentized_range

    ranks = average_ranks(table).to_numpy(dtype=float)
    q = np.abs(ranks[:, None] - ranks[None, :]) * math.sqrt(2) / _rank_error(k, n)
    first, second = np.triu_indices(k, 1)
    p = np.ones((k, k))
    found = np.clip(studentized_range.sf(q[first, second], k, np.inf), 0, 1)
    p[first, second] = p[second, first] = found
    return pd.DataFrame(p, index=table.columns, columns=table.columns)


def cliques(ranks: pd.Series, difference: float) -> list[tuple[str, ...]]:
    """The bars of a critical-difference diagram: methods that cannot be told apart.

    Args:
        ranks: average rank of every method.
        difference: the critical difference; NaN gives no clique.

    Returns:
        Runs of at least two methods, best first, whose ranks differ by less than the critical
        difference; none lies inside another.
    """
    ordered = ranks.sort_values(kind="stable")
    names, values = ordered.index.tolist(), ordered.to_numpy(dtype=float)
    ends = np.searchsorted(values, values + difference, side="left")
    ends = np.where(math.isnan(difference), np.arange(len(values)), ends)
    found: list[tuple[str, ...]] = []
    reached = 0
    for start, end in enumerate(ends):
        if end - start >= 2 and end > reached:
            found.append(tuple(names[start:end]))
            reached = int(end)
    return found


def letters(
    methods_in_rank_order: Sequence[str], groups: Iterable[Sequence[str]]
) -> dict[str, str]:
    """Compact letters: methods that share one cannot be told apart.

    Args:
        methods_in_rank_order: best first.
        groups: the cliques.

    Returns:
        For every method its letters in the order of the groups, ``a`` for the one that begins with
        the best method; a method without a group has a letter of its own. After z come a1, b1, ...
    """
    place = {method: position for position, method in enumerate(methods_in_rank_order)}
    sets = [sorted(place[method] for method in group) for group in groups]
    grouped = {position for members in sets for position in members}
    sets += [[position] for position in place.values() if position not in grouped]
    found = dict.fromkeys(methods_in_rank_order, "")
    for index, members in enumerate(sorted(sets)):
        turn, letter = divmod(index, len(LETTERS))
        for position in members:
            found[methods_in_rank_order[position]] += f"{LETTERS[letter]}{turn or ''}"
    return found


def _rank_error(n_methods: int, n_blocks: int) -> float:
    """Standard error of the difference of two average ranks, if no method is better."""
    return math.sqrt(n_methods * (n_methods + 1) / (6 * n_blocks))
