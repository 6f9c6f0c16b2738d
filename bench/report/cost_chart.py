"""Accuracy against cost, with the frontier of what is worth its price."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from bench.report.ink import LIGHT, Chart, Ink

ALL_NAMED = 12
"""Up to this many methods each is named, beyond it only those of the frontier."""


def frontier(costs: pd.DataFrame) -> pd.Series:
    """True for methods that no other beats in accuracy at the same or a lower cost.

    Args:
        costs: mean, cost; a row a method.
    """
    best = [
        not (
            (costs["mean"] >= row.mean_)
            & (costs["cost"] <= row.cost)
            & ((costs["mean"] > row.mean_) | (costs["cost"] < row.cost))
        ).any()
        for row in costs.rename(columns={"mean": "mean_"}).itertuples()
    ]
    return pd.Series(best, index=costs.index, dtype=bool)


def cost_chart(costs: pd.DataFrame, title: str, ink: Ink = LIGHT) -> Chart:
    """A mark a method; the line joins those that nothing cheaper beats.

    Args:
        costs: method, mean (%), low, high, cost; the bounds may be NaN.
        title: of the axis of costs, which is logarithmic.
        ink: colours of the page.
    """
    frame = costs.assign(frontier=frontier(costs)).sort_values("cost", kind="stable")
    frame["kind"] = frame["frontier"].map({True: "frontier", False: "beaten"})
    frame["named"] = frame["method"].where(frame["frontier"] | (len(frame) <= ALL_NAMED), "")
    x = alt.X("cost:Q", title=title, scale=alt.Scale(type="log", nice=True, padding=20))
    y = alt.Y("mean:Q", title="mean test accuracy, %", scale=alt.Scale(zero=False, padding=14))
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("mean:Q", format=".2f", title="mean, %"),
        alt.Tooltip("cost:Q", format=".3g", title=title),
        alt.Tooltip("kind:N"),
    ]
    kinds = ["frontier", "beaten"]
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[ink.accent, ink.faint]),
        legend=alt.Legend(title=None, orient="top", symbolOpacity=1),
    )
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["circle", "cross"]))
    base = alt.Chart(frame).encode(x=x, tooltip=tooltip)
    layers: list[Any] = [
        base.transform_filter("datum.frontier")
        .mark_line(interpolate="step-after", color=ink.accent, opacity=0.6)
        .encode(y=y),
        base.transform_filter("isValid(datum.low)")
        .mark_rule(opacity=0.35)
        .encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2=alt.Y2("high:Q"), color=colour),
        base.mark_point(filled=True, size=80, opacity=1).encode(y=y, color=colour, shape=shape),
        base.mark_text(dx=7, dy=-8, align="left", color=ink.text, fontSize=11).encode(
            y=y, text=alt.Text("named:N")
        ),
    ]
    chart: Chart = alt.layer(*layers).properties(height=380, width="container")
    return chart
