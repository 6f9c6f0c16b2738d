"""From off to on, and gain against the noise rate: pure functions of frames."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from bench.report.gain_charts import span
from bench.report.ink import LIGHT, Chart, Ink

MOST_LINES = 120
"""More cells than this are drawn as their methods' means alone."""

NOTHING = 1e-5
"""Percentage points below this are none."""

KINDS = ("gain", "no change", "harm")


def slope_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Two rows a method and, where they are few, two a cell: its accuracy off and on.

    Args:
        frame: method, block, off, gain (%, NaN without a pair), effect, as
            ``gain_charts.gain_frame`` gives it.

    Returns:
        line, method, block, state (off, on), accuracy, gain, effect, level (method, cell).
    """
    known = frame[frame["gain"].notna()]
    means = known.groupby("method", sort=False)[["off", "gain"]].mean().reset_index()
    means["effect"] = [
        "no change" if abs(gain) < 1e-5 else "gain" if gain > 0 else "harm"
        for gain in means["gain"]
    ]
    parts = [means.assign(block="mean over its cells", level="method")]
    if len(known) <= MOST_LINES:
        parts.append(known[["method", "block", "off", "gain", "effect"]].assign(level="cell"))
    joined = pd.concat(parts, ignore_index=True)
    joined["line"] = joined.index
    states = [
        joined.assign(state="off", accuracy=joined["off"]),
        joined.assign(state="on", accuracy=joined["off"] + joined["gain"]),
    ]
    columns = ["line", "method", "block", "state", "accuracy", "gain", "effect", "level"]
    return pd.concat(states, ignore_index=True)[columns]


def _effect(gain: float) -> str:
    if abs(gain) < NOTHING:
        return "no change"
    return "gain" if gain > 0 else "harm"


def slope_chart(slopes: pd.DataFrame, ink: Ink = LIGHT) -> Chart:
    """A line from off to on for every method, thin ones for its cells.

    Args:
        slopes: as ``slope_frame`` gives it.
        ink: colours of the page.
    """
    colour = alt.Color(
        "effect:N",
        scale=alt.Scale(domain=list(KINDS), range=[ink.gain, ink.faint, ink.harm]),
        legend=alt.Legend(title=None, orient="top", symbolOpacity=1),
    )
    # Dashes say harm too, so that colour is never the only sign.
    dash = alt.StrokeDash(
        "effect:N", scale=alt.Scale(domain=list(KINDS), range=[[1, 0], [2, 2], [6, 3]])
    )
    base = alt.Chart(slopes).encode(
        x=alt.X("state:N", sort=["off", "on"], title=None, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("accuracy:Q", title="test accuracy, %", scale=alt.Scale(zero=False, padding=10)),
        detail=alt.Detail("line:N"),
        tooltip=[
            alt.Tooltip("method:N"),
            alt.Tooltip("block:N", title="noise"),
            alt.Tooltip("accuracy:Q", format=".2f", title="accuracy, %"),
            alt.Tooltip("gain:Q", format="+.3f", title="gain, points"),
        ],
    )
    cells = base.transform_filter("datum.level === 'cell'").mark_line(opacity=0.35, strokeWidth=1)
    methods = base.transform_filter("datum.level === 'method'")
    layers: list[Any] = [
        cells.encode(color=colour, strokeDash=dash),
        methods.mark_line(strokeWidth=2.5).encode(color=colour, strokeDash=dash),
        methods.mark_point(filled=True, size=45, opacity=1).encode(color=colour),
    ]
    if slopes.loc[slopes["level"] == "method", "method"].nunique() <= 12:
        words = methods.transform_filter("datum.state === 'on'").mark_text(
            align="left", dx=8, color=ink.text, fontSize=11
        )
        layers.append(words.encode(text=alt.Text("method:N")))
    chart: Chart = alt.layer(*layers).properties(height=420, width="container")
    return chart


def gain_against_rate(frame: pd.DataFrame, ink: Ink = LIGHT) -> Chart:
    """Gain of every cell against the share of wrong labels, with the mean at each rate.

    Args:
        frame: method, block, rate (%), gain (points), effect; rows without a number are left out.
        ink: colours of the page.
    """
    kept = frame[frame["gain"].notna() & frame["rate"].notna()]
    marks = {"gain": "triangle-up", "no change": "circle", "harm": "triangle-down"}
    colour = alt.Color(
        "effect:N",
        scale=alt.Scale(domain=list(KINDS), range=[ink.gain, ink.faint, ink.harm]),
        legend=alt.Legend(title=None, orient="top", symbolOpacity=1),
    )
    shape = alt.Shape(
        "effect:N", scale=alt.Scale(domain=list(KINDS), range=[marks[kind] for kind in KINDS])
    )
    end = 1.15 * span(kept["gain"])
    x = alt.X("rate:Q", title="wrong labels, %, as drawn", scale=alt.Scale(nice=True, padding=8))
    y = alt.Y("gain:Q", title="gain, points", scale=alt.Scale(domain=[-end, end], nice=False))
    base = alt.Chart(kept)
    means = alt.Chart(kept.groupby("rate", sort=True)["gain"].mean().reset_index())
    zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=ink.faint).encode(y=alt.Y("y:Q"))
    points = base.mark_point(filled=True, size=60, opacity=0.8).encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        tooltip=[
            alt.Tooltip("method:N"),
            alt.Tooltip("block:N", title="noise"),
            alt.Tooltip("rate:Q", format=".1f", title="wrong, %"),
            alt.Tooltip("gain:Q", format="+.3f", title="gain, points"),
        ],
    )
    line = means.mark_line(color=ink.text, strokeWidth=2).encode(x=x, y=y)
    chart: Chart = alt.layer(zero, points, line).properties(height=300, width="container")
    return chart
