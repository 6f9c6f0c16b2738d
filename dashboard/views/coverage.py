"""What is done, what failed and why, what is missing and the command that fills it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from bench.report import coverage_charts as charts
from bench.report.coverage_charts import DONE, FAILED, LEFT_OUT, MISSING, NO_VALUE, PARTLY, STATES
from dashboard import coverage_tables as tables
from dashboard import live, states
from dashboard.controls import choose, choose_many
from dashboard.coverage_data import Coverage, read_coverage, read_traceback
from dashboard.data import Board
from dashboard.exports import show_chart
from dashboard.links import show_link
from dashboard.words import count, headings, plain

ALL = "all"
SCROLL_PX, MANY_ROWS = 620, 40
"""A map of more rows than that scrolls in a window of its own."""

SHORT = 8


def show(board: Board) -> None:
    """The page."""
    if not board.done:
        states.nothing_done(board)
    live.show(board)
    whole = read_coverage(board)
    if whole.cells.empty:
        st.markdown("The plan of this board is empty.")
        return
    st.markdown(_verdict(whole))
    _totals(whole)
    wanted, state = _filters(whole)
    commands = tables.Commands(board, tuple(wanted), whole.axes)
    found = whole.only(wanted)
    kept = _with_state(found.cells, state)
    if kept.empty:
        st.markdown("No cell is left by these filters.")
        return
    with states.guarded("map"):
        _map(kept, whole)
    sections = (
        (_missing, found.missing, (MISSING, PARTLY)),
        (_failed, found.failures, (FAILED,)),
        (_valueless, found.valueless, (NO_VALUE,)),
        (_unevaluated, found.unevaluated, (NO_VALUE,)),
        (_left_out, found.excluded, (LEFT_OUT,)),
    )
    for section, rows, about in sections:
        if len(rows) and (state == ALL or state in about):
            with states.guarded("table"):
                section(rows, commands)


def _verdict(found: Coverage) -> str:
    totals = found.totals
    planned, done = int(totals.sum()), int(totals.get(DONE, 0))
    missing = int(totals.get(MISSING, 0))
    failed = planned - done - missing
    lacking = int(found.cells["lacking"].sum())
    parts = []
    if missing:
        parts.append(f"**{missing:,}** {_were(missing)} never tried")
    if failed:
        parts.append(f"**{failed:,}** failed at every try")
    if not parts and not lacking:
        return (
            f"**Complete**: all {count(planned, 'training')} are done, and every evaluation that "
            "the plan asks for has a value."
        )
    if parts:
        text = f"Of {count(planned, 'training')}, {' and '.join(parts)}."
    else:
        text = f"All {count(planned, 'training')} are done."
    if lacking:
        text += f" **{count(lacking, 'evaluation')}** of finished trainings lack a value."
    return text + " Nothing of that is averaged away: cells that lack a result stay holes."


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _totals(found: Coverage) -> None:
    totals = found.totals
    planned, done = int(totals.sum()), int(totals.get(DONE, 0))
    missing = int(totals.get(MISSING, 0))
    out = int((found.cells["state"] == LEFT_OUT).sum())
    kinds = ", ".join(f"{n} {s}" for s, n in totals.items() if s not in (DONE, MISSING))
    share = f"{100 * done / planned:.0f} %" if planned else "–"
    if done < planned and share == "100 %":
        share = "99 %"
    with st.container(horizontal=True, gap="medium"):
        for label, value, meaning in (
            ("Done", f"{done:,} of {planned:,}", f"{share} of the trainings of this board."),
            ("Failed", f"{planned - done - missing:,}", kinds or "Every try failed."),
            ("Missing", f"{missing:,}", "Trainings that were never tried."),
            (
                "Without a value",
                f"{int(found.cells['lacking'].sum()):,}",
                "Evaluations of finished trainings that failed or were never tried.",
            ),
            ("Cells left out", f"{out:,}", "By the plan, for the reasons below."),
        ):
            st.metric(label, value, help=meaning, width="content")
    if planned:
        with states.guarded("bar"):
            show_chart(
                lambda ink: charts.status_bar(totals, ink),
                "Trainings by status",
                alt=f"{done} of {planned} trainings done, {kinds or 'none'} failed, "
                f"{missing} missing",
                csv=totals.rename_axis("status").reset_index(),
            )


def _filters(found: Coverage) -> tuple[dict[str, list[str]], str]:
    """The axes that the reader narrowed, and which state of cells to show."""
    cells = found.cells
    states_there = set(cells["state"])
    present = [state for state in STATES if state in states_there]
    wanted: dict[str, list[str]] = {}
    with st.container(key="coverage_filters"):
        state = ALL
        if len(present) > 1:
            state = choose(
                "Cells that are",
                [ALL, *present],
                "cover_state",
                help="Shows rows and columns that hold such a cell.",
            )
        with st.container(horizontal=True, gap="medium"):
            for axis, label in (
                ("method", "Method"),
                ("noise", "Noise"),
                ("dataset", "Data set"),
            ):
                options = list(dict.fromkeys(cells[axis]))
                if len(options) == 1:
                    continue
                chosen = choose_many(label, options, f"cover_{axis}", every=f"all {len(options)}")
                if len(chosen) < len(options):
                    wanted[axis] = chosen
    return wanted, state


def _with_state(cells: pd.DataFrame, state: str) -> pd.DataFrame:
    """Rows and columns of the map that hold a cell of this state."""
    if state == ALL:
        return cells
    hit = cells[cells["state"] == state]
    blocks = hit[["dataset", "noise"]].drop_duplicates()
    return cells[cells["method"].isin(hit["method"])].merge(blocks, on=["dataset", "noise"])


def _map(cells: pd.DataFrame, whole: Coverage) -> None:
    st.subheader("Every cell")
    names = dict(zip(whole.blocks, headings(whole.blocks), strict=True))
    rows = max(cells["method"].nunique(), len(cells[["dataset", "noise"]].drop_duplicates()))
    counts = cells["state"].value_counts()
    said = ", ".join(f"{counts[state]} {state}" for state in STATES if state in counts.index)
    box: dict[str, Any] = {"height": SCROLL_PX, "border": True} if rows > MANY_ROWS else {}
    with st.container(key="coverage_map", **box):
        show_chart(
            lambda ink: charts.coverage_map(cells, names, ink),
            "Coverage",
            alt=f"Methods by data set and noise: {plain(said)}",
            csv=cells,
        )
    st.caption(
        f"{count(len(cells), 'cell')}: {plain(said)}. A cell is a method on a data set under a "
        "noise, over all its seeds; one failed seed makes it failed. Hover over a cell for its "
        "trainings."
    )


def _missing(rows: pd.DataFrame, commands: tables.Commands) -> None:
    st.subheader("Missing")
    trainings = int(rows["trainings"].sum())
    st.markdown(
        f"**{count(trainings, 'training')}** of {count(len(rows), 'cell')} "
        f"{_were(trainings)} never tried. This runs {'them' if trainings > 1 else 'it'}, and "
        "nothing that is done:"
    )
    st.code(commands.every(rows), language="bash", wrap_lines=True)
    tables.show_rows(commands.each(rows), tables.missing_columns(), "Missing trainings")


def _failed(rows: pd.DataFrame, commands: tables.Commands) -> None:
    st.subheader("Failed")
    kinds = ", ".join(f"{n} {plain(s)}" for s, n in rows["status"].value_counts().items())
    st.markdown(
        f"**{count(len(rows), 'training')}** failed at every try ({kinds}). This tries "
        f"{'them' if len(rows) > 1 else 'it'} again, and what is missing beside:"
    )
    st.code(commands.every(rows, "failed"), language="bash", wrap_lines=True)
    tables.show_rows(
        commands.each(rows, "failed", by_seed=True), tables.failure_columns(), "Failed trainings"
    )
    _traceback(commands.board, rows.head(tables.MOST_ROWS))


def _traceback(board: Board, rows: pd.DataFrame) -> None:
    options = {
        f"{row['training_key'][:SHORT]} · {row['method']} · {row['noise']} · {row['dataset']} · "
        f"seed {row['seed']}": row
        for row in rows.to_dict("records")
    }
    with st.expander("How one of them failed", icon=":material/bug_report:"):
        chosen = st.selectbox("Training", list(options), key="cover_failure", bind="query-params")
        row = options[chosen]
        text = read_traceback(board, row["training_key"])
        if text:
            st.code(text, language=None, wrap_lines=True)
        else:
            st.caption("It left no traceback.")
        if row["log"]:
            st.markdown(f"What it printed: **{plain(row['log'])}**, from the database's folder.")
        show_link(board, "runs", "All about this run", run=row["training_key"][:SHORT])


def _valueless(rows: pd.DataFrame, commands: tables.Commands) -> None:
    st.subheader("Evaluations without a value")
    st.markdown(
        f"**{count(len(rows), 'evaluation')}** of trainings that are done ended in an error. This "
        "tries again, after the plug-in is mended:"
    )
    st.code(commands.every(rows, "failed"), language="bash", wrap_lines=True)
    tables.show_rows(
        commands.each(rows, "failed", by_seed=True),
        tables.valueless_columns(),
        "Evaluations without a value",
    )


def _unevaluated(rows: pd.DataFrame, commands: tables.Commands) -> None:
    st.subheader("Never evaluated")
    number = int(rows["trainings"].sum())
    refiners = ", ".join(plain(name) for name in dict.fromkeys(rows["refiner"]))
    st.markdown(
        f"**{count(number, 'evaluation')}** that the plan asks for {_were(number)} never tried on "
        f"trainings that are done ({refiners}). This trains those again:"
    )
    st.code(commands.every(rows), language="bash", wrap_lines=True)
    tables.show_rows(commands.each(rows), tables.unevaluated_columns(), "Never evaluated")


def _left_out(rows: pd.DataFrame, commands: tables.Commands) -> None:
    st.subheader("Left out by the plan")
    reasons = rows["reason"].value_counts()
    st.markdown(
        f"**{count(len(rows), 'cell')}** cannot or shall not be run, for "
        f"{count(len(reasons), 'reason')}:"
    )
    tables.show_rows(rows, tables.left_out_columns(), "Cells left out")
