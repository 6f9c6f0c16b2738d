"""One method beside the others, as a chart: a pure function of a frame."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from bench.report.ink import LIGHT, Chart, Ink

OWN, BEST, MEDIAN = "this method", "best of the column", "median of all methods"

TALL_PX, LOW_PX = 26, 15
MANY_ROWS = 24


def against_best(frame: pd.DataFrame, blocks: Sequence[str], ink: Ink = LIGHT) -> Chart:
    """A row a block: the method with its interval, the best and the median of all methods.

    Args:
        frame: block, mean, low, high, best, best_method, median, rank (text), why; figures in %.
            Where the method has no value mean is NaN and why says the reason.
        blocks: names in order.
        ink: colours of the page.
    """
    marks = {
        MEDIAN: (ink.faint, "square", "median"),
        BEST: (ink.text, "diamond", "best"),
        OWN: (ink.accent, "circle", "mean"),
    }
    long = pd.concat(
        [frame.assign(who=who, value=frame[column]) for who, (_, _, column) in marks.items()],
        ignore_index=True,
    )
    long = long[long["value"].notna()]
    y = alt.Y(
        "block:N",
        sort=list(blocks),
        title=None,
        axis=alt.Axis(labelLimit=190, labelFlush=False, labelOverlap=False, ticks=False),
    )
    scale = alt.Scale(zero=False, nice=True, padding=10)
    many = len(blocks) > MANY_ROWS
    axis = alt.Axis(tickCount=7, orient="top" if many else "bottom")

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title="test accuracy, %", scale=scale, axis=axis)

    tooltip = [
        alt.Tooltip("block:N", title="noise"),
        alt.Tooltip("mean:Q", format=".2f", title="this method, %"),
        alt.Tooltip("low:Q", format=".2f", title="95 % from"),
        alt.Tooltip("high:Q", format=".2f", title="to"),
        alt.Tooltip("rank:N"),
        alt.Tooltip("best_method:N", title="best"),
        alt.Tooltip("best:Q", format=".2f", title="best, %"),
        alt.Tooltip("median:Q", format=".2f", title="median, %"),
    ]
    domain = [OWN, BEST, MEDIAN]
    # Two channels for one thing, so that colour is never the only sign.
    colour = alt.Color(
        "who:N",
        scale=alt.Scale(domain=domain, range=[marks[who][0] for who in domain]),
        legend=alt.Legend(
            title=None, orient="top", columns=alt.ExprRef("width < 400 ? 1 : 3"), labelLimit=170
        ),
    )
    shape = alt.Shape(
        "who:N", scale=alt.Scale(domain=domain, range=[marks[who][1] for who in domain])
    )
    base = alt.Chart(frame).encode(y=y)
    with_value = base.transform_filter("isValid(datum.mean)")
    gaps = with_value.mark_rule(color=ink.faint, strokeWidth=2, opacity=0.6)
    spans = with_value.transform_filter("isValid(datum.low)").mark_rule(
        color=ink.accent, strokeWidth=3, opacity=0.7
    )
    points = alt.Chart(long).mark_point(filled=True, size=90, opacity=1)
    holes = base.transform_filter("!isValid(datum.mean)").mark_text(
        align="left", color=ink.faint, fontStyle="italic", x=6
    )
    step = LOW_PX if many else TALL_PX
    return alt.layer(
        gaps.encode(x=x("mean"), x2=alt.X2("best:Q")),
        spans.encode(x=x("low"), x2=alt.X2("high:Q"), tooltip=tooltip),
        points.encode(x=x("value"), y=y, color=colour, shape=shape, tooltip=tooltip),
        holes.encode(text=alt.Text("why:N")),
    ).properties(height=alt.Step(step), width="container")
