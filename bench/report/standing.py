"""Who stands where on a board under one refiner, with what tells them apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bench.stats import ranks
from bench.stats.bradley_terry import strengths
from bench.stats.density import density
from bench.stats.frame import BLOCK, CELL
from bench.stats.grid import ALL, COMMON
from bench.stats.leaderboard import cells, leaderboard_of
from bench.stats.pairs import wilcoxon_pairs

HOLES = (ALL, COMMON)
"""What becomes of missing cells: a method with one is not ranked; a column with one is left out."""

SIGNIFICANT = 0.05

Block = tuple[str, str]


@dataclass(frozen=True)
class Standing:
    """Methods under one refiner.

    Attributes:
        refiner: under which.
        holes: ``all`` or ``common``.
        table: as ``stats.leaderboard.leaderboard_of`` gives it.
        cells: as ``stats.leaderboard.cells`` gives them, with ``planned`` trainings (0: unknown).
        blocks: (data set, noise) with any result.
        counted: those that ranks and means are over.
        ranks: cell means of the ranked methods over those blocks, as ``stats.ranks.block_table``.
        pairs: every pair of ranked methods, as ``stats.pairs.wilcoxon_pairs``.
        strengths: as ``stats.bradley_terry.strengths``; empty below two ranked methods.
    """

    refiner: str
    holes: str
    table: pd.DataFrame
    cells: pd.DataFrame
    blocks: list[Block]
    counted: list[Block]
    ranks: pd.DataFrame
    pairs: pd.DataFrame
    strengths: pd.DataFrame

    @property
    def ranked(self) -> pd.DataFrame:
        """The methods that have a rank, best first."""
        return self.table[self.table["rank"].notna()]

    @property
    def compared(self) -> bool:
        """Whether there are two methods and a block to compare them over."""
        return self.ranks.shape[0] > 0 and self.ranks.shape[1] > 1

    @property
    def critical_difference(self) -> float:
        """Nemenyi's, at 0.05; NaN where nothing can be compared."""
        return ranks.critical_difference(self.ranks.shape[1], self.ranks.shape[0])

    @property
    def cliques(self) -> list[tuple[str, ...]]:
        """Runs of methods that Nemenyi's test does not tell apart."""
        return ranks.cliques(ranks.average_ranks(self.ranks), self.critical_difference)

    @property
    def letters(self) -> Mapping[str, str]:
        """Methods that share a letter are not told apart; empty where nothing can be compared."""
        if not self.compared:
            return {}
        order = ranks.average_ranks(self.ranks).sort_values(kind="stable").index
        return ranks.letters([str(name) for name in order], self.cliques)

    @property
    def level_with_best(self) -> frozenset[str]:
        """Methods that Wilcoxon's test with Holm does not tell apart from the best-ranked one.

        Empty where no test is made, which is so below six blocks.
        """
        if self.ranked.empty or self.pairs.empty:
            return frozenset()
        best = self.ranked["method"].iloc[0]
        same = self.pairs[self.pairs["p_holm"] >= SIGNIFICANT]
        first, second = same["method"], same["other"]
        return frozenset([*second[first == best], *first[second == best]])

    @property
    def tested(self) -> bool:
        """Whether any pair has a p-value."""
        return bool(self.pairs["p_holm"].notna().any())


def standing_of(
    results: pd.DataFrame, refiner: str, holes: str = ALL, asked: pd.DataFrame | None = None
) -> Standing:
    """Rank the methods of a board.

    Args:
        results: the tidy frame of one board.
        refiner: under which to rank.
        holes: ``all`` or ``common``.
        asked: every cell of the plan: dataset, noise, method, planned.

    Raises:
        ValueError: the frame is not tidy, or ``holes`` is unknown.
    """
    found = cells(results, refiner)
    if asked is None:
        found = found.assign(planned=0)
    else:
        found = found.merge(asked[[*CELL, "planned"]], on=CELL, how="left")
        found["planned"] = found["planned"].fillna(0).astype(int)
    blocks = list(found[BLOCK].drop_duplicates().itertuples(index=False, name=None))
    common = set(density(found).common)
    table = ranks.block_table(found, holes)
    return Standing(
        refiner=refiner,
        holes=holes,
        table=leaderboard_of(found, holes),
        cells=found,
        blocks=blocks,
        counted=[block for block in blocks if holes == ALL or block in common],
        ranks=table,
        pairs=wilcoxon_pairs(table),
        strengths=strengths(table) if min(table.shape) and table.shape[1] > 1 else _NO_STRENGTHS,
    )


_NO_STRENGTHS = pd.DataFrame(columns=["method", "strength", "low", "high"]).astype(
    {"strength": float, "low": float, "high": float}
)


def headings(blocks: list[Block]) -> list[str]:
    """A short name for every block: the noise alone where there is one data set."""
    one = len({dataset for dataset, _ in blocks}) == 1
    return [noise if one else f"{dataset} {noise}" for dataset, noise in blocks]


def half(low: float, high: float) -> float:
    """Half the width of an interval; NaN where there is none."""
    return math.nan if math.isnan(low) or math.isnan(high) else (high - low) / 2
