"""Tables of what lacks of a board, each row with the command that mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from bench.stats.frame import CELL
from dashboard.data import Board
from dashboard.exports import Shown, show_table
from dashboard.tables import LEAST_PX, LETTER_PX, MOST_PX, PADDING_PX
from dashboard.words import count, fill_command, only_name, only_words

MOST_ROWS = 200
"""Of a table on the page; its CSV holds them all."""


def show_rows(rows: pd.DataFrame, columns: Mapping[str, Any], title: str) -> None:
    """The first rows as a table, all of them as CSV.

    Args:
        rows: all of them.
        columns: settings of the columns to show, in order.
        title: of the table.
    """
    kept = rows[list(columns)].reset_index(drop=True)
    shown = kept.head(MOST_ROWS)
    longest = int(shown["method"].str.len().max())
    width = min(max(LEAST_PX, LETTER_PX * longest + PADDING_PX), MOST_PX)
    settings = {**columns, "method": {**columns["method"], "width": width}}
    show_table(Shown(shown, settings), title, csv=kept)
    if len(kept) > MOST_ROWS:
        st.caption(
            f"The first {MOST_ROWS} of {count(len(kept), 'row')}; {len(kept) - MOST_ROWS:,} more "
            "are in the CSV."
        )


@dataclass(frozen=True)
class Commands:
    """Commands that mend a board, or the part of it that the reader looks at.

    Attributes:
        board: whose.
        narrowed: axes of ``run --only`` of which the reader chose some names.
        axes: those that tell cells of this board apart.
    """

    board: Board
    narrowed: tuple[str, ...]
    axes: tuple[str, ...]

    def every(self, rows: pd.DataFrame, redo: str = "") -> str:
        """One for all of the rows, which have dataset, noise, method and their bare names."""
        board = self.board
        only = {axis: list(_names(rows, axis).unique()) for axis in self.narrowed}
        return fill_command(board.suite, board.budget, board.path, only, redo)

    def each(self, rows: pd.DataFrame, redo: str = "", *, by_seed: bool = False) -> pd.DataFrame:
        """The rows with a column ``command``, what to type for that row alone."""
        board = self.board
        # Once a name and not once a row: a board may have 100,000 of these.
        command = pd.Series(fill_command(board.suite, board.budget, board.path), index=rows.index)
        for axis in (*self.axes, "seed") if by_seed else self.axes:
            names = _names(rows, axis)
            command += " " + names.map({n: only_words({axis: [n]}) for n in names.unique()})
        return rows.assign(command=command + f" --redo {redo}" if redo else command)


def _names(rows: pd.DataFrame, axis: str) -> pd.Series:
    """What ``run --only`` takes for each row."""
    if axis == "seed":
        return rows["seed"].astype(str)
    if axis == "dataset":
        return rows["dataset_name"]
    pairs = rows[[axis, f"{axis}_name"]].drop_duplicates()
    known = {
        label: only_name(label, name) for label, name in pairs.itertuples(index=False, name=None)
    }
    return rows[axis].map(known)


def cell_columns() -> dict[str, Any]:
    """Settings of the columns that every one of these tables begins with."""
    text = st.column_config.TextColumn
    settings = (
        text("data set", help="As the suite shows it."),
        text("noise", help="As the suite shows it."),
        text("method", pinned=True, help="The method and parameters that differ."),
    )
    return dict(reversed(list(zip(CELL, settings, strict=True))))


def missing_columns() -> dict[str, Any]:
    """Of cells that lack trainings."""
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    return {
        **cell_columns(),
        "seeds": text("missing seeds", help="Of trainings that were never tried."),
        "trainings": number("trainings", help="How many are missing."),
        "command": _command("Runs what this cell misses, and nothing else."),
    }


def failure_columns() -> dict[str, Any]:
    """Of trainings whose every try failed."""
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    return {
        **cell_columns(),
        "seed": number("seed", help="Of the training."),
        "status": text("status", help="How the last try ended."),
        "error": text("reason", width="large", help="The last line of the failure."),
        "attempts": number("tries", help="How often it was tried."),
        "started_at": text("last tried", help="When the last try began, UTC."),
        "log": text("log", help="What it printed: a path from the database's folder."),
        "command": _command("Runs this training again, and nothing else."),
    }


def valueless_columns() -> dict[str, Any]:
    """Of evaluations that ended in an error."""
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    return {
        "refiner": text("refiner", pinned=True, help="What could not be evaluated."),
        **cell_columns(),
        "seed": number("seed", help="Of the training."),
        "error": text("reason", width="large", help="The last line of the failure."),
        "command": _command("Runs this training again, with all its evaluations."),
    }


def unevaluated_columns() -> dict[str, Any]:
    """Of evaluations that were never tried."""
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    return {
        "refiner": text("refiner", pinned=True, help="What was never evaluated."),
        **cell_columns(),
        "trainings": number("trainings", help="Trainings that are done without it."),
        "command": _command("Trains this cell again, with all its evaluations."),
    }


def left_out_columns() -> dict[str, Any]:
    """Of cells that the plan leaves out."""
    text = st.column_config.TextColumn
    return {
        **cell_columns(),
        "reason": text("reason", width="large", help="Why this cell cannot or shall not be run."),
    }


def _command(meaning: str) -> Any:
    return st.column_config.TextColumn("command", width="medium", help=meaning)
