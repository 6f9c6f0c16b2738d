"""Two or more trainings beside each other: their curves, and only what differs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from bench.report import run_charts as charts
from dashboard import states
from dashboard.controls import choose
from dashboard.data import Board
from dashboard.exports import show_chart, show_table
from dashboard.run_differences import (
    cell_names,
    differences,
    differences_table,
    machines,
    names,
    shared,
)
from dashboard.runs_data import Run, read_epochs
from dashboard.words import count, plain

ONE, ALL = "these runs", "all seeds"

MEASURES = (
    ("test_accuracy", "Test accuracy", "The test set selects nothing."),
    ("noisy_val_accuracy", "Noisy validation", "On held-out samples with their given labels."),
    (
        "fit_given",
        "Fit to given labels",
        "Agreement with the labels as given, on training samples: with wrong labels among them, a "
        "high fit means that they are learnt by heart.",
    ),
    ("fit_true", "Fit to true labels", "Agreement with the true labels on the same samples."),
    ("selection_precision", "Selection precision", "Of the selected samples, rightly labelled."),
    ("selection_recall", "Selection recall", "Of the rightly labelled samples, selected."),
)
"""Column, title, and what it means."""


def show(board: Board, runs: Sequence[Run]) -> None:
    """The comparison."""
    st.subheader(f"{count(len(runs), 'run')} compared")
    common = shared(runs)
    if common:
        st.markdown(f"In common: {plain(common)}")
    _curves(board, runs)
    st.subheader("What differs")
    every = st.toggle(
        "Show what is equal, too",
        key="equal",
        help="Adds the settings and results that all of these runs share.",
        bind="query-params",
    )
    with states.guarded("table of differences"):
        frame = differences(runs, all_rows=bool(every))
        if frame.empty:
            st.markdown("Nothing differs.")
        else:
            show_table(
                differences_table(frame, names(runs)),
                "Differences between runs",
                height="content" if len(frame) <= 24 else 600,
            )
    with states.guarded("sentence"):
        sentence = machines(runs)
        if sentence:
            st.caption(sentence)


def _curves(board: Board, runs: Sequence[Run]) -> None:
    every = any(len(run.seeds) > 1 for run in runs) and (
        choose(
            "Curves of",
            [ONE, ALL],
            "compared",
            help="All seeds: thin lines are seeds, thick ones the mean of each run's cell.",
        )
        == ALL
    )
    with states.guarded("curves"):
        epochs = _cells(board, runs) if every else _single(board, runs)
        if epochs.empty:
            st.caption("None of these runs has measurements of single epochs.")
            return
        if every:
            st.caption("Thin: single seeds; thick: their mean. " + _seeds(epochs))
        shown = [measure for measure in MEASURES if not charts.compared(epochs, measure[0]).empty]
        for start in range(0, len(shown), 2):
            columns = st.columns(2)
            for place, measure in zip(columns, shown[start : start + 2], strict=False):
                with place:
                    _chart(epochs, *measure)
        lacking = len(names(runs)) - len(set(epochs["series"])) if not every else 0
        if lacking:
            st.caption(f"{count(lacking, 'run')} without measurements: no line.")


def _chart(epochs: pd.DataFrame, column: str, title: str, meaning: str) -> None:
    st.markdown(f"**{title}**")
    with states.guarded(f"chart of {title.lower()}"):
        frame = charts.compared(epochs, column)
        show_chart(
            lambda ink: charts.curves(frame, f"{title.lower()}, %", ink),
            f"{title} compared",
            alt=f"{title} over epochs, a line each: {', '.join(dict.fromkeys(frame['series']))}",
            csv=frame,
        )
    st.caption(meaning)


def _single(board: Board, runs: Sequence[Run]) -> pd.DataFrame:
    """Epochs of the runs, a series each."""
    epochs = read_epochs(board, tuple(run.key for run in runs))
    known = dict(zip((run.key for run in runs), names(runs), strict=True))
    return _ordered(epochs.assign(series=epochs["training_key"].map(known)), list(known.values()))


def _cells(board: Board, runs: Sequence[Run]) -> pd.DataFrame:
    """Epochs of all seeds of the runs' cells, a series each; runs of one cell share it."""
    cells = {run.cell: run for run in runs}
    labels = cell_names(list(cells.values()))
    parts = [
        read_epochs(board, tuple(run.seeds.values())).assign(series=label)
        for run, label in zip(cells.values(), labels, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def _ordered(epochs: pd.DataFrame, series: list[str]) -> pd.DataFrame:
    """In the order in which the runs were chosen, which colours and the table share."""
    places = {name: position for position, name in enumerate(series)}
    return epochs.sort_values(
        ["series", "epoch"],
        key=lambda column: column.map(places) if column.name == "series" else column,
        ignore_index=True,
    )


def _seeds(epochs: pd.DataFrame) -> str:
    numbers = epochs.groupby("series", sort=False)["seed"].nunique()
    low, high = int(numbers.min()), int(numbers.max())
    return f"{count(low, 'seed')} each." if low == high else f"{low} to {high} seeds each."
