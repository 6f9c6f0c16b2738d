"""Curves of one training over its epochs, with what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
import streamlit as st

from bench.report import run_charts as charts
from dashboard import states
from dashboard.controls import choose
from dashboard.data import Board
from dashboard.exports import show_chart
from dashboard.runs_data import Run, read_epochs
from dashboard.words import count

ONE, ALL = "this run", "all seeds"


class Panel(NamedTuple):
    """One chart of the epochs.

    Attributes:
        what: over it, and in the names of its files.
        names: column -> line.
        axis: title of the values.
        meaning: under it.
        scale: what values are multiplied by.
    """

    what: str
    names: Mapping[str, str]
    axis: str
    meaning: str
    scale: float = 100


PANELS = (
    Panel(
        "Accuracy",
        charts.ACCURACY,
        "accuracy, %",
        "The test set selects nothing; noisy validation has the labels as given.",
    ),
    Panel(
        "Memorisation",
        charts.FIT,
        "agreement, %",
        "How far predictions on training samples agree with the labels as given, and with the true "
        "ones: where the first rises above the second, wrong labels are learnt by heart.",
    ),
    Panel(
        "Selection",
        charts.SELECTION,
        "of samples, %",
        "Share selected: samples that the method learns from as rightly labelled. Precision: those "
        "of them that are. Recall: the rightly labelled that it found.",
    ),
    Panel(
        "Training loss",
        charts.LOSS,
        "loss",
        "As the method reports it: losses of different methods do not compare.",
        scale=1,
    ),
    Panel("Learning rate", charts.RATE, "learning rate", "During the epoch.", scale=1),
)


def show(board: Board, run: Run) -> None:
    """The curves, of this run or of all seeds of its cell."""
    st.subheader("Curves")
    seeds = run.seeds
    every = len(seeds) > 1 and (
        choose(
            "Curves of",
            [ONE, ALL],
            "curves",
            help="All seeds of this cell: the same method, noise and data set.",
        )
        == ALL
    )
    with states.guarded("curves"):
        epochs = read_epochs(board, tuple(seeds.values()) if every else (run.key,))
        if every:
            trained = epochs["training_key"].nunique()
            st.caption(
                f"Thin: single seeds; thick: their mean over {count(trained, 'seed')} of "
                f"{len(seeds)} planned."
            )
        elif len(seeds) == 1:
            st.caption("This cell has one seed, so nothing is averaged.")
        _charts(run, epochs)


def _charts(run: Run, epochs: pd.DataFrame) -> None:
    """Two charts side by side; one of nothing is left out, for some methods select nothing."""
    found = [(panel, charts.measures(epochs, panel.names, panel.scale)) for panel in PANELS]
    found = [(panel, frame) for panel, frame in found if len(frame)]
    for start in range(0, len(found), 2):
        for place, (panel, frame) in zip(st.columns(2), found[start : start + 2], strict=False):
            with place:
                _chart(run, panel, frame)
    if not any(panel.what == "Accuracy" for panel, _ in found):
        st.caption("No accuracy was measured, or none is a number.")


def _chart(run: Run, panel: Panel, frame: pd.DataFrame) -> None:
    st.markdown(f"**{panel.what}**")
    with states.guarded(f"chart of {panel.what.lower()}"):
        show_chart(
            lambda ink: charts.curves(frame, panel.axis, ink),
            f"{panel.what} of run {run.short}",
            alt=f"{panel.what} over epochs: {', '.join(dict.fromkeys(frame['series']))}",
            csv=frame,
        )
    st.caption(panel.meaning)
