"""What a page shows when there is nothing, not yet everything, or an error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.controls import fold
from dashboard.data import Board
from dashboard.exports import Shown, show_table
from dashboard.words import count, plain, run_command

log = logging.getLogger(__name__)

MOST_ROWS = 200
"""Of a list of cells; its CSV holds all."""


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Show an error in the place of one chart or table, and leave the rest of the page alone."""
    try:
        yield
    except Exception as error:  # anything: the page must outlive what it shows
        log.exception("%s could not be drawn", what)
        st.error(
            f"The {what} could not be drawn: {plain(type(error).__name__)}: {plain(error)}",
            icon=":material/error:",
        )


def no_database(path: Path) -> None:
    """There is no file yet."""
    st.header("No results yet")
    st.markdown(
        f"There is no database at **{plain(path)}**. This command trains five methods on real "
        "handwritten digits under five kinds of noise, on a CPU, in a few minutes:"
    )
    st.code(run_command("digits", "", path), language="bash")
    st.caption("This page fills by itself as results arrive.")


def unreadable(path: Path, reason: object) -> None:
    """There is a file, and it cannot be shown."""
    st.header("This database cannot be shown")
    st.info(plain(reason), icon=":material/info:")
    st.markdown(f"The dashboard was asked for **{plain(path)}**. Nothing was changed.")


def no_boards(path: Path) -> None:
    """A database in which nothing was planned."""
    st.header("No results yet")
    st.markdown(
        f"The database **{plain(path)}** is empty: no suite was planned in it. This one needs no "
        "download and no accelerator:"
    )
    st.code(run_command("digits", "", path), language="bash")
    st.caption("This page fills by itself as results arrive.")


def nothing_done(board: Board) -> None:
    """A board whose trainings all failed or were not run yet."""
    if board.failed:
        st.subheader("No training succeeded yet")
    else:
        st.subheader("Nothing is trained yet")
    waiting = board.planned - board.done - board.failed
    if waiting:
        st.markdown(f"{count(waiting, 'training')} of {board.planned:,} wait to be run:")
        st.code(run_command(board.suite, board.budget, board.path), language="bash")
    elif not board.planned:
        st.markdown("The plan holds no training; every cell of the suite was left out.")


def nothing_left() -> None:
    """Filters that no cell meets."""
    st.subheader("Nothing is left")
    st.markdown("No cell of this board meets all the filters above; empty one to see more.")


def failures(board: Board, *, opened: bool = False) -> None:
    """Trainings whose every try failed, with reasons; nothing where there are none."""
    if not board.failed:
        return
    failed = board.failures()
    label = f"{count(len(failed), 'failed training')}: how each ended, and how to try again"

    def table() -> None:
        text = st.column_config.TextColumn
        columns = {
            "dataset": text("data set"),
            "status": text("status", help="How the last try ended."),
            "error": text("error", width="large", help="The last line of the failure."),
        }
        shown = failed[["method", "dataset", "noise", "seed", "status", "error"]]
        show_table(Shown(shown.head(MOST_ROWS), columns), "Failed trainings", csv=shown)
        st.markdown("To run them again:")
        st.code(run_command(board.suite, board.budget, board.path, "failed"), language="bash")

    fold(label, "failed", ":material/error:", table, opened=opened)


def refused(board: Board) -> None:
    """Evaluations that ended in an error; nothing where there are none."""
    wrong = board.refused()
    if wrong.empty:
        return
    label = f"{count(len(wrong), 'evaluation')} without a value: which, and why"

    def table() -> None:
        text = st.column_config.TextColumn
        columns = {
            "dataset": text("data set"),
            "error": text("error", width="large", help="Why the refiner gave nothing."),
        }
        shown = wrong[["refiner", "method", "dataset", "noise", "seed", "error"]]
        show_table(Shown(shown.head(MOST_ROWS), columns), "Evaluations without a value", csv=shown)

    fold(label, "refused", ":material/warning:", table)


def left_out(excluded: pd.DataFrame) -> None:
    """Cells that the plan leaves out, with reasons; nothing where there are none."""
    if excluded.empty:
        return
    label = f"{count(len(excluded), 'cell')} left out by the plan: which, and why"

    def table() -> None:
        text = st.column_config.TextColumn
        columns = {
            "dataset": text("data set"),
            "reason": text("reason", width="large", help="Why the plan leaves it out."),
        }
        show_table(Shown(excluded.head(MOST_ROWS), columns), "Cells left out", csv=excluded)

    fold(label, "excluded", ":material/block:", table)
