"""Curves over the epochs of trainings, as charts: pure functions of frames."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from bench.report.ink import DARK, LIGHT, Chart, Ink

ACCURACY = {
    "test_accuracy": "test accuracy",
    "noisy_val_accuracy": "noisy validation",
    "approximated_accuracy": "approximated accuracy",
}
FIT = {"fit_given": "fit to given labels", "fit_true": "fit to true labels"}
SELECTION = {
    "selected_share": "share selected",
    "selection_precision": "precision",
    "selection_recall": "recall",
}
RATE = {"lr": "learning rate"}
LOSS = {"train_loss": "training loss"}
"""Columns of epochs, in the words of a legend."""

_LIGHT = ("#1f6fb5", "#c2570c", "#00765a", "#a33d83", "#14161c", "#7a6200", "#5b52c7", "#6d7380")
_DARK = ("#5aa9e6", "#f0954a", "#3fc7a0", "#e690c8", "#ffffff", "#e8d04b", "#a9a1ff", "#9aa1ae")
_DASHES = ([1, 0], [6, 3], [2, 2], [9, 3, 2, 3], [12, 3], [4, 2, 1, 2], [1, 3], [3, 3, 9, 3])
_SHAPES = (
    *("circle", "square", "triangle-up", "diamond"),
    *("cross", "triangle-down", "triangle-left", "triangle-right"),
)
MOST = len(_SHAPES)
"""Lines that can be told apart by dash and shape alone."""

MARKS = 8
"""Shapes along a line, so that it is known without its colour and not hidden under them."""

LEGEND_PX = 17
"""Of a name in the legend, which the plot would lose otherwise."""

WIDE_LETTERS = 44
"""Names longer than this together stand below each other in the legend."""


def measures(epochs: pd.DataFrame, names: Mapping[str, str], scale: float = 100) -> pd.DataFrame:
    """A line a measure, of one training or of all seeds of a cell.

    Args:
        epochs: epoch, seed, and some of the columns that ``names`` has.
        names: column -> name of its line.
        scale: what values are multiplied by; 100 turns shares into %.

    Returns:
        epoch, member (the seed), series, value. A measure without any value has no row; one that
        lacks some epochs keeps them as NaN, so that its line has a gap there.
    """
    kept = [column for column in names if column in epochs and epochs[column].notna().any()]
    parts = [
        pd.DataFrame(
            {
                "epoch": epochs["epoch"].astype(int),
                "member": epochs["seed"].astype(int),
                "series": names[column],
                "value": scale * epochs[column].astype(float),
            }
        )
        for column in kept
    ]
    return pd.concat(parts, ignore_index=True) if parts else _nothing()


def compared(epochs: pd.DataFrame, column: str, scale: float = 100) -> pd.DataFrame:
    """A line a run (or cell), of one measure.

    Args:
        epochs: epoch, seed, series (name of the line), and ``column`` where it is known.
        column: the measure.
        scale: what values are multiplied by.

    Returns:
        as ``measures``; a line without any value has no row.
    """
    if column not in epochs:
        return _nothing()
    frame = pd.DataFrame(
        {
            "epoch": epochs["epoch"].astype(int),
            "member": epochs["seed"].astype(int),
            "series": epochs["series"].astype(str),
            "value": scale * epochs[column].astype(float),
        }
    )
    known = frame.groupby("series")["value"].transform("count") > 0
    return frame[known].reset_index(drop=True)


def means(frame: pd.DataFrame) -> pd.DataFrame:
    """The mean over members at every epoch of every line.

    Returns:
        series, epoch, value, n (members with a value there), in the order of ``frame``'s lines.
    """
    order = {name: position for position, name in enumerate(dict.fromkeys(frame["series"]))}
    found = frame.groupby(["series", "epoch"])["value"].agg(value="mean", n="count").reset_index()
    found["place"] = found["series"].map(order)
    return found.sort_values(["place", "epoch"], ignore_index=True).drop(columns="place")


def curves(frame: pd.DataFrame, title: str, ink: Ink = LIGHT, *, height: int = 280) -> Chart:
    """Lines over epochs: members thin, their mean thick, each line by colour, dash and shape.

    Args:
        frame: as ``measures`` or ``compared`` gives it, at most ``MOST`` lines.
        title: of the value axis.
        ink: colours of the page.
        height: in pixels.
    """
    thick = means(frame)
    series = list(dict.fromkeys(frame["series"]))
    last = int(frame["epoch"].max()) if len(frame) else 1
    thick["marked"] = _marked(thick, last)
    colours = (_DARK if ink == DARK else _LIGHT)[: len(series)]
    legend = _legend(series)
    colour = alt.Color(
        "series:N",
        sort=series,
        scale=alt.Scale(domain=series, range=list(colours)),
        legend=legend,
    )
    dash = alt.StrokeDash(
        "series:N",
        sort=series,
        scale=alt.Scale(domain=series, range=list(_DASHES[: len(series)])),
        legend=None,
    )
    shape = alt.Shape(
        "series:N",
        sort=series,
        scale=alt.Scale(domain=series, range=list(_SHAPES[: len(series)])),
        legend=legend,
    )
    x = alt.X(
        "epoch:Q",
        title="epoch",
        axis=alt.Axis(tickMinStep=1, format="d"),
        scale=alt.Scale(nice=False, padding=6),
    )
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False, nice=True))
    figures = [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("value:Q", format=".4~g"),
        alt.Tooltip("n:Q", title="seeds"),
    ]
    base = alt.Chart(thick).encode(x=x, y=y, color=colour)
    layers = [
        base.mark_line(strokeWidth=2.5).encode(strokeDash=dash),
        base.transform_filter("datum.marked")
        .mark_point(filled=True, size=55, opacity=1)
        .encode(shape=shape),
        # Larger than what is seen, so that a finger finds it.
        base.mark_point(size=160, opacity=0).encode(tooltip=figures),
    ]
    if frame.groupby("series")["member"].nunique().gt(1).any():
        thin = alt.Chart(frame).mark_line(strokeWidth=1, opacity=0.45)
        layers.insert(0, thin.encode(x=x, y=y, color=colour, detail=alt.Detail("member:N")))
    rows = len(series) if legend is not None and legend.columns == 1 else 1
    return alt.layer(*layers).properties(height=height + LEGEND_PX * (rows - 1), width="container")


def _legend(series: list[str]) -> alt.Legend | None:
    if len(series) == 1:
        return None
    below = sum(map(len, series)) > WIDE_LETTERS
    return alt.Legend(
        title=None,
        orient="top",
        direction="vertical" if below else "horizontal",
        columns=1 if below else len(series),
        labelLimit=330,
        symbolSize=80,
        symbolStrokeWidth=0,
        symbolOpacity=1,
    )


def _marked(thick: pd.DataFrame, last: int) -> pd.Series:
    """Every so many epochs and the last one, staggered from line to line where they coincide."""
    step = max(1, last // MARKS)
    names = {name: position for position, name in enumerate(dict.fromkeys(thick["series"]))}
    shift = thick["series"].map(names) * max(1, step // 3) if step > 1 else 0
    ends = thick.groupby("series")["epoch"].transform("max")
    return ((thick["epoch"] - 1 - shift) % step == 0) | (thick["epoch"] == ends)


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({"epoch": [], "member": [], "series": [], "value": []}).astype(
        {"epoch": int, "member": int, "series": str, "value": float}
    )
