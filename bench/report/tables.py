"""The tables of a suite: built once from statistics, shown in any format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.stats.frame import BLOCK
from bench.stats.gains import SMALLEST, by_cell, overall
from bench.stats.leaderboard import cells, leaderboard, missing_cells
from bench.stats.oracle import oracle_gains

ORACLE = "oracle k*"
ORACLE_NOTE = (
    "Oracle k*: the gain if every training took the k of its best test accuracy. It looked at test "
    "labels, so it is no result and is never ranked; no rule for k can give more."
)

WIDEST = 12
"""Columns of a table whose rows and columns keep their places."""

BADGES = {
    "noise_rate": "rate",
    "transition_matrix": "T",
    "clean_subset": "clean",
    "two_networks": "2 nets",
    "strong_augmentation": "strong aug.",
    "pretraining": "pre-trained",
}
"""What a method is told or uses, in a word."""


@dataclass(frozen=True)
class Table:
    """A titled table of text cells, with the sentences that belong under it.

    Attributes:
        best: (row, column) of the cells to stress.
        prose: columns that hold text of any length.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    best: frozenset[tuple[int, int]] = frozenset()
    prose: frozenset[str] = frozenset()


def percent(value: float, half: float = math.nan) -> str:
    """``93.21 ± 0.40`` from shares; a dash where there is nothing."""
    if math.isnan(value):
        return "–"
    text = f"{100 * value:.2f}"
    return text if math.isnan(half) else f"{text} ± {100 * half:.2f}"


def points(value: float) -> str:
    """A difference in percentage points with its sign; a plain 0 when nothing changed."""
    if math.isnan(value):
        return "–"
    return "0" if abs(value) < SMALLEST else f"{100 * value:+.2f}"


def leaderboard_table(
    results: pd.DataFrame, methods: pd.DataFrame, refiner: str = "off", title: str = ""
) -> Table:
    """Methods by average rank, with a column for every block."""
    board = leaderboard(results, refiner)
    found = cells(results, refiner)
    blocks = [tuple(block) for block in found[BLOCK].drop_duplicates().itertuples(index=False)]
    one_dataset = len({dataset for dataset, _ in blocks}) == 1
    badges = _badges(methods)
    indexed = found.set_index(["dataset", "noise", "method"])
    best_of = found.groupby(BLOCK)["mean"].max().to_dict()
    rows, best = [], set()
    for number, entry in enumerate(board.to_dict("records")):
        row = [
            "–" if math.isnan(entry["rank"]) else f"{entry['rank']:.2f}",
            str(entry["method"]),
            badges.get(str(entry["method"]), ""),
            percent(entry["mean"]),
        ]
        for block in blocks:
            key = (*block, entry["method"])
            if key in indexed.index:
                cell = indexed.loc[key]
                if cell["mean"] == best_of[block]:
                    best.add((number, len(row)))
                row.append(percent(cell["mean"], (cell["high"] - cell["low"]) / 2))
            else:
                row.append("missing")
        rows.append(tuple(row))
    headings = [noise if one_dataset else f"{dataset} {noise}" for dataset, noise in blocks]
    table = Table(
        f"{title or 'Leaderboard'}, refiner {refiner}",
        ("rank", "method", "told / uses", "mean", *headings),
        tuple(rows),
        tuple(_leaderboard_notes(results, refiner, found)),
        frozenset(best),
    )
    return turned(table, "method") if _is_wide(table) else table


def turned(table: Table, names: str) -> Table:
    """Rows as columns: what was in the column ``names`` becomes the headings."""
    key = table.columns.index(names)
    kept = [position for position in range(len(table.columns)) if position != key]
    rows = [(table.columns[p], *(row[p] for row in table.rows)) for p in kept]
    places = {position: number for number, position in enumerate(kept)}
    best = frozenset((places[column], row + 1) for row, column in table.best if column != key)
    columns = ("", *(row[key] for row in table.rows))
    return Table(table.title, columns, tuple(rows), table.notes, best, frozenset({""}))


def _is_wide(table: Table) -> bool:
    """More columns than a terminal or a page has room for, and fewer rows than that."""
    return len(table.columns) > WIDEST and len(table.rows) < len(table.columns)


def _badges(methods: pd.DataFrame) -> dict[str, str]:
    return {
        str(m["method"]): ", ".join(BADGES.get(x, x) for x in [*m["knows"], *m["uses"]])
        for m in methods.to_dict("records")
    }


def _leaderboard_notes(results: pd.DataFrame, refiner: str, found: pd.DataFrame) -> list[str]:
    notes = [
        "Test accuracy of the last epoch in %, mean ± 95 % Student t interval over seeds; "
        "rank is the average over the columns, 1 is best."
    ]
    if len(found) and found["seeds"].min() < 3:
        notes.append("Fewer than three seeds in some cells: differences there say little.")
    holes = missing_cells(results, refiner)
    if len(holes):
        first = holes.iloc[0]
        notes.append(
            f"{len(holes)} cells are missing (the first: {first['method']} on "
            f"{first['dataset']}, {first['noise']}); methods with holes are not ranked."
        )
    return notes


def gains_table(gained: pd.DataFrame, oracle: pd.DataFrame | None = None) -> Table:
    """Every refiner over all cells, losses beside gains.

    Args:
        gained: as ``stats.gains.overall`` gives it.
        oracle: as ``stats.oracle.oracle_gains`` gives it: a last column that is marked.
    """
    best = {} if oracle is None else {row["refiner"]: row for row in oracle.to_dict("records")}
    rows = []
    for entry in gained.to_dict("records"):
        interval = "–"
        if not math.isnan(entry["low"]):
            interval = f"{points(entry['low'])} … {points(entry['high'])}"
        rows.append(
            (
                str(entry["refiner"]),
                points(entry["gain"]),
                interval,
                str(entry["wins"]),
                str(entry["ties"]),
                str(entry["losses"]),
                points(entry["worst"]),
                "–" if math.isnan(entry["p"]) else f"{entry['p']:.3f}",
                str(entry["cells"]),
                *([_ceiling(best.get(entry["refiner"]))] if best else []),
            )
        )
    columns = ("refiner", "gain", "95 % interval", "wins", "ties", "losses", "worst cell", "p")
    notes = (
        "Percentage points of test accuracy, from the same trained weights; seeds averaged "
        "inside a cell, bootstrap interval and Wilcoxon test (Holm) over cells. Cells of one "
        "data set are less independent than the test takes them to be.",
    )
    return Table(
        "Gain of each refiner over off",
        (*columns, "cells", ORACLE) if best else (*columns, "cells"),
        tuple(rows),
        (*notes, ORACLE_NOTE) if best else notes,
    )


def _ceiling(row: Mapping[Any, Any] | None) -> str:
    """The oracle's gain, with the trainings that it could not look at."""
    if row is None:
        return "–"
    lacking = f" ({row['lacking']} without a curve)" if row["lacking"] else ""
    return points(row["oracle"]) + lacking


def gain_cells_table(results: pd.DataFrame, refiner: str = "lip") -> Table:
    """One refiner's gain in every cell: methods down, blocks across."""
    frame = by_cell(results)
    frame = frame[frame["refiner"] == refiner]
    blocks = [tuple(block) for block in frame[BLOCK].drop_duplicates().itertuples(index=False)]
    one_dataset = len({dataset for dataset, _ in blocks}) == 1
    indexed = frame.set_index(["dataset", "noise", "method"])["gain"]
    rows = []
    for method in dict.fromkeys(frame["method"]):
        row = [str(method)]
        for block in blocks:
            key = (*block, method)
            row.append(points(float(indexed[key])) if key in indexed.index else "missing")
        rows.append(tuple(row))
    headings = [noise if one_dataset else f"{dataset} {noise}" for dataset, noise in blocks]
    table = Table(
        f"Gain of {refiner} in each cell",
        ("method", *headings),
        tuple(rows),
        ("Mean paired gain over seeds, percentage points; minus is harm.",),
    )
    return turned(table, "method") if _is_wide(table) else table


def suite_tables(
    results: pd.DataFrame,
    methods: pd.DataFrame,
    title: str = "",
    refiners: Sequence[str] | None = None,
) -> list[Table]:
    """The leaderboard, the gains of all refiners, whose they are, and each in every cell.

    Args:
        results: one row a training and refiner of one board; where it has the column ``curve``,
            an oracle stands beside the gains.
        methods: what each method declared: method, knows, uses, and perhaps family.
        title: what was ranked, for example ``digits, budget short, on digits``.
        refiners: whose gains are shown cell by cell; None for all.
    """
    from bench.report.attribution import attribution_tables  # it is built from this module

    tables = [leaderboard_table(results, methods, title=title)]
    gained = overall(results)
    if len(gained):
        oracle = oracle_gains(results) if "curve" in results else None
        tables.append(gains_table(gained, oracle))
        tables += attribution_tables(results, methods)
        chosen = [name for name in gained["refiner"] if refiners is None or name in refiners]
        tables += [gain_cells_table(results, name) for name in chosen]
    return tables


def as_frame(table: Table) -> pd.DataFrame:
    """The table as a frame of text."""
    rows: list[Any] = [list(row) for row in table.rows]
    return pd.DataFrame(rows, columns=list(table.columns))
