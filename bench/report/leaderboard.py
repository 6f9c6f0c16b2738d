"""The leaderboard as a table: ranks, groups, strengths, means, and every cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.report.standing import Standing, half, headings
from bench.report.tables import (
    DAGGER,
    LEFT_OUT,
    MISSING,
    NOTHING,
    WIDEST,
    Table,
    badges,
    counted,
    is_wide,
    percent,
    turned,
)
from bench.stats.density import density
from bench.stats.frame import CELL
from bench.stats.gains import SMALLEST
from bench.stats.grid import COMMON
from bench.stats.remarks import remarks
from bench.stats.signed_rank import LEAST

BESIDE = ("rank", "method", "group", "told / uses", "mean", "strength")
"""Columns beside those of the cells."""

MOST_REASONS = 3

Row = Mapping[Any, Any]


def leaderboard_table(
    standing: Standing,
    methods: pd.DataFrame,
    title: str = "",
    excluded: pd.DataFrame | None = None,
) -> Table:
    """Methods by average rank, with a column for every block.

    Args:
        standing: the ranking.
        methods: what each method declared: method, knows, uses.
        title: what was ranked.
        excluded: cells that the plan leaves out, with reasons.
    """
    told = badges(methods)
    letters = standing.letters
    strength = {str(row["method"]): row for row in standing.strengths.to_dict("records")}
    cells = {tuple(row[name] for name in CELL): row for row in standing.cells.to_dict("records")}
    left_out = set() if excluded is None else set(excluded[CELL].itertuples(index=False, name=None))
    rows = []
    for entry in standing.table.to_dict("records"):
        method = str(entry["method"])
        row = [
            NOTHING if math.isnan(entry["rank"]) else f"{entry['rank']:.2f}",
            method,
            letters.get(method, ""),
            told.get(method, ""),
            percent(entry["mean"], half(entry["low"], entry["high"])),
            _strength(strength.get(method)),
        ]
        for block in standing.blocks:
            key = (*block, entry["method"])
            if key in cells:
                row.append(_cell(cells[key]))
            else:
                row.append(LEFT_OUT if key in left_out else MISSING)
        rows.append(tuple(row))
    level = standing.level_with_best
    table = Table(
        f"{title or 'Leaderboard'}, refiner {standing.refiner}",
        (*BESIDE, *headings(standing.blocks)),
        tuple(rows),
        tuple(_notes(standing, excluded)),
        _best(standing, cells),
        marks={(n, 0): DAGGER for n, name in enumerate(standing.table["method"]) if name in level},
    )
    return turned(table, "method") if is_wide(table, WIDEST + 2) else table


def _strength(row: Row | None) -> str:
    if row is None or math.isnan(row["strength"]):
        return NOTHING
    spread = half(row["low"], row["high"])
    return f"{row['strength']:.0f}" + ("" if math.isnan(spread) else f" ± {spread:.0f}")


def _cell(row: Row) -> str:
    """Its mean; with its seeds where there are fewer than planned."""
    fewer = f" ({row['seeds']}/{row['planned']})" if row["seeds"] < row["planned"] else ""
    return percent(row["mean"], half(row["low"], row["high"])) + fewer


def _best(standing: Standing, cells: Mapping[tuple[Any, ...], Row]) -> frozenset[tuple[int, int]]:
    """The best of every column."""
    table = standing.table
    columns = {
        BESIDE.index("rank"): [-rank for rank in table["rank"]],
        BESIDE.index("mean"): list(table["mean"]),
        BESIDE.index("strength"): list(
            standing.strengths.set_index("method")["strength"].reindex(table["method"])
        ),
    }
    for number, block in enumerate(standing.blocks):
        columns[len(BESIDE) + number] = [
            cells[(*block, name)]["mean"] if (*block, name) in cells else math.nan
            for name in table["method"]
        ]
    found = set()
    for column, values in columns.items():
        known = [value for value in values if not math.isnan(value)]
        if known:
            bar = max(known) - SMALLEST
            found |= {(row, column) for row, value in enumerate(values) if value > bar}
    return frozenset(found)


def _notes(standing: Standing, excluded: pd.DataFrame | None) -> list[str]:
    notes = [
        "Test accuracy of the last epoch in %, mean ± half of the 95 % Student t interval over "
        "seeds. Mean: over the columns, ± half of the 95 % bootstrap interval over them. Rank: "
        "average over the columns, 1 is best; ties share a rank. A column is a block: a data set "
        "under one noise."
    ]
    if standing.compared:
        notes += [
            "Group: methods that share a letter are not told apart by Nemenyi's test at 0.05. "
            "Strength: Bradley–Terry, ± half of the 95 % bootstrap interval over columns; 400 "
            "points more are odds of 10 to 1 to be the better one in a column, the average method "
            "has 1000.",
            _daggers(standing),
        ]
    notes += remarks(standing.cells, standing.ranks)
    notes += _holes(standing)
    if excluded is not None and len(excluded):
        notes.append(_left_out(excluded))
    return notes


def _daggers(standing: Standing) -> str:
    if not standing.tested:
        return f"No method is marked {DAGGER}: that takes Wilcoxon's test, over {LEAST} columns."
    return (
        f"{DAGGER} not told apart from the best-ranked method: Wilcoxon's signed-rank test over "
        "columns, p ≥ 0.05 after Holm's correction over all pairs."
    )


def _holes(standing: Standing) -> list[str]:
    missing = density(standing.cells).missing
    if missing.empty:
        return []
    first = missing.iloc[0]
    text = (
        f"{counted(len(missing), 'cell')} {'is' if len(missing) == 1 else 'are'} empty (the first: "
        f"{first['method']} on {first['dataset']}, {first['noise']}); "
    )
    if standing.holes != COMMON:
        return [f"{text}methods with an empty cell are listed and not ranked."]
    outside = [block for block in standing.blocks if block not in set(standing.counted)]
    names = dict(zip(standing.blocks, headings(standing.blocks), strict=True))
    left = ", ".join(names[block] for block in outside)
    return [
        f"{text}ranks, means, strengths and tests are over the {len(standing.counted)} of "
        f"{counted(len(standing.blocks), 'column')} in which every method has a result, without "
        f"{left}."
    ]


def _left_out(excluded: pd.DataFrame) -> str:
    reasons: Sequence[tuple[object, int]] = list(excluded["reason"].value_counts().items())
    said = [f"{reason} ({number})" for reason, number in reasons[:MOST_REASONS]]
    more = len(reasons) - len(said)
    end = f"; and {counted(more, 'reason')} more" if more > 0 else ""
    noun = f"{counted(len(excluded), 'cell')} {'is' if len(excluded) == 1 else 'are'}"
    return f"{noun} left out by the plan: {'; '.join(said)}{end}."
