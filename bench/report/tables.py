"""What a table is: text cells with a title, notes, and what stands out in it, for any format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from bench.stats.gains import SMALLEST

WIDEST = 12
"""Columns of a table whose rows and columns keep their places."""

NOTHING = "–"
"""Where a figure does not exist."""

MISSING, LEFT_OUT = "missing", "left out"
"""Cells without a result: not run or not evaluated; excluded by the plan."""

DAGGER = "†"

BADGES = {
    "noise_rate": "rate",
    "transition_matrix": "T",
    "clean_subset": "clean",
    "two_networks": "2 nets",
    "strong_augmentation": "strong aug.",
    "pretraining": "pre-trained",
}
"""What a method is told or uses, in a word."""

NAMES = frozenset({"method", "other", "refiner", "group", "told / uses", "data set", "noise", ""})
"""Columns of names, which begin at the left."""


@dataclass(frozen=True)
class Table:
    """A titled table of text cells, with the sentences that belong under it.

    Attributes:
        best: (row, column) of the cells to stress.
        prose: columns that hold text of any length.
        marks: (row, column) -> signs of significance, which are no part of the figure.
        commands: what to type, one a line under the notes.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    best: frozenset[tuple[int, int]] = frozenset()
    prose: frozenset[str] = frozenset()
    marks: Mapping[tuple[int, int], str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()

    def is_text(self, column: int) -> bool:
        """Whether a column holds words and not figures."""
        name = self.columns[column]
        return name in NAMES or name in self.prose


def percent(value: float, half: float = math.nan) -> str:
    """``93.21 ± 0.40`` from shares; a dash where there is nothing."""
    if math.isnan(value):
        return NOTHING
    text = f"{100 * value:.2f}"
    return text if math.isnan(half) else f"{text} ± {100 * half:.2f}"


def points(value: float) -> str:
    """A difference in percentage points with its sign; a plain 0 when nothing changed."""
    if math.isnan(value):
        return NOTHING
    return "0" if abs(value) < SMALLEST else f"{100 * value:+.2f}"


def interval(low: float, high: float) -> str:
    """``-0.10 … +0.42`` in percentage points; a dash where there is none."""
    return NOTHING if math.isnan(low) else f"{points(low)} … {points(high)}"


def p_words(value: float) -> str:
    """A p-value with three digits."""
    if math.isnan(value):
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def stars(p: float) -> str:
    """``*``, ``**``, ``***`` for p below 0.05, 0.01, 0.001; nothing above, or without a test."""
    return "*" * sum(p < bound for bound in (0.05, 0.01, 0.001))


def counted(number: int, noun: str) -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def badges(methods: pd.DataFrame) -> dict[str, str]:
    """What every method is told or uses, in short words."""
    return {
        str(m["method"]): ", ".join(BADGES.get(x, x) for x in [*m["knows"], *m["uses"]])
        for m in methods.to_dict("records")
    }


def turned(table: Table, names: str) -> Table:
    """Rows as columns: what was in the column ``names`` becomes the headings."""
    key = table.columns.index(names)
    kept = [position for position in range(len(table.columns)) if position != key]
    rows = [(table.columns[p], *(row[p] for row in table.rows)) for p in kept]
    places = {position: number for number, position in enumerate(kept)}
    best = frozenset((places[column], row + 1) for row, column in table.best if column != key)
    marks = {(places[c], r + 1): mark for (r, c), mark in table.marks.items() if c != key}
    columns = ("", *(row[key] for row in table.rows))
    return Table(table.title, columns, tuple(rows), table.notes, best, marks=marks)


def is_wide(table: Table, widest: int = WIDEST) -> bool:
    """More columns than a terminal or a page has room for, and fewer rows than that."""
    return len(table.columns) > widest and len(table.rows) < len(table.columns)
