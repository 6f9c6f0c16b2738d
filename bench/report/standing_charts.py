"""Who stands where, as charts: pure functions of frames."""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench.report.ink import LIGHT, Chart, Ink


def standings(
    means: pd.DataFrame, parts: pd.DataFrame, part: str, title: str, ink: Ink = LIGHT
) -> Chart:
    """A row a method: its mean with the interval, over the faint points it is a mean of.

    Args:
        means: method, mean, low, high in %, best first; the bounds may be NaN.
        parts: method, value in %, and ``part``: what the mean is taken over.
        part: name of that column: ``seed`` or ``noise``.
        title: of the axis.
        ink: colours of the page.
    """
    order = list(means["method"])
    y = alt.Y("method:N", sort=order, title=None, axis=alt.Axis(labelLimit=180, ticks=False))
    scale = alt.Scale(zero=False, nice=True, padding=8)
    axis = alt.Axis(tickCount=8)
    x = alt.X("mean:Q", title=title, scale=scale, axis=axis)
    figures = [
        alt.Tooltip("method:N"),
        alt.Tooltip("mean:Q", format=".2f", title="mean, %"),
        alt.Tooltip("low:Q", format=".2f", title="95 % from"),
        alt.Tooltip("high:Q", format=".2f", title="to"),
    ]
    base = alt.Chart(means).encode(y=y)
    dots = (
        alt.Chart(parts)
        .mark_tick(color=ink.faint, thickness=2, height=12, opacity=0.9)
        .encode(
            x=alt.X("value:Q", scale=scale, title=title, axis=axis),
            y=y,
            tooltip=[
                alt.Tooltip("method:N"),
                alt.Tooltip(f"{part}:N"),
                alt.Tooltip("value:Q", format=".2f", title="accuracy, %"),
            ],
        )
    )
    spans = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=3, color=ink.accent)
    heads = base.mark_circle(size=110, color=ink.accent, opacity=1)
    words = base.mark_text(dy=-13, fontWeight="bold", color=ink.text)
    return alt.layer(
        dots,
        spans.encode(
            x=alt.X("low:Q", scale=scale, title=title, axis=axis),
            x2=alt.X2("high:Q"),
            tooltip=figures,
        ),
        heads.encode(x=x, tooltip=figures),
        words.encode(x=x, text=alt.Text("mean:Q", format=".2f")),
    ).properties(height=alt.Step(42), width="container")
