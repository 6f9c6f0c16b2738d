"""Means with intervals of LIP and its controls, family by family, as a pure function."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from bench.report.ink import LIGHT, Chart, Ink
from bench.stats.attribution import Attribution

SHAPES = (
    *("square", "diamond", "triangle-up", "cross", "triangle-down", "triangle-left"),
    *("triangle-right", "wedge"),
)
"""Of the controls: shape tells them apart, for every kind of colour vision. LIP is a circle."""

ROW_PX = 15
COLUMNS = ["family", "refiner", "gain", "low", "high", "cells", "kind"]
LIP, CONTROL = "LIP", "control"


def forest_frame(found: Attribution, variant: str) -> pd.DataFrame:
    """One LIP variant and every control in every family, in percentage points.

    A control is shown on the cells that it shares with the variant; one that shares none has no
    row.

    Returns:
        family, refiner, gain, low, high (NaN where there is no interval), cells, kind.
    """
    verdicts = found.verdicts[found.verdicts["refiner"] == variant]
    beside = found.beside[(found.beside["refiner"] == variant) & (found.beside["cells"] > 0)]
    rows = []
    for row in verdicts.to_dict("records"):
        mine = [row[name] for name in ("gain", "low", "high", "cells")]
        rows.append([row["family"], variant, *mine, LIP])
        for other in beside[beside["family"] == row["family"]].to_dict("records"):
            theirs = [other[f"control_gain{end}"] for end in ("", "_low", "_high")]
            rows.append([row["family"], other["control"], *theirs, other["cells"], CONTROL])
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.assign(**{name: 100 * frame[name] for name in ("gain", "low", "high")})


def forest(frame: pd.DataFrame, ink: Ink = LIGHT) -> Chart:
    """A row a family: the variant's mean gain with its interval, the controls' below it.

    Args:
        frame: as ``forest_frame`` gives it.
        ink: colours of the page.
    """
    names = list(dict.fromkeys(frame["refiner"]))
    controls = list(dict.fromkeys(frame.loc[frame["kind"] == CONTROL, "refiner"]))
    shapes = dict(zip(controls, SHAPES * len(controls), strict=False))
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1, labelLimit=200, columns=4)
    shape = alt.Shape(
        "refiner:N",
        scale=alt.Scale(domain=names, range=[shapes.get(name, "circle") for name in names]),
        legend=legend,
    )
    colour = alt.Color(
        "refiner:N",
        scale=alt.Scale(
            domain=names, range=[ink.text if name in shapes else ink.accent for name in names]
        ),
        legend=legend,
    )
    y = alt.Y(
        "family:N",
        sort=list(dict.fromkeys(frame["family"])),
        title=None,
        axis=alt.Axis(labelLimit=140, ticks=False, grid=True, tickBand="extent", domain=False),
        scale=alt.Scale(paddingInner=0.3),
    )
    offset = alt.YOffset("refiner:N", sort=names)
    axis: dict[str, Any] = {
        "title": "gain over off, percentage points",
        "axis": alt.Axis(tickCount=8),
    }
    tooltip = [
        alt.Tooltip("family:N"),
        alt.Tooltip("refiner:N"),
        alt.Tooltip("gain:Q", format="+.3f", title="gain, points"),
        alt.Tooltip("low:Q", format="+.3f", title="95 % from"),
        alt.Tooltip("high:Q", format="+.3f", title="to"),
        alt.Tooltip("cells:Q"),
    ]
    base = alt.Chart(frame).encode(y=y, yOffset=offset, color=colour, tooltip=tooltip)
    # Where bars cross, LIP's stays in sight.
    lip = f"datum.kind === '{LIP}'"
    spans = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule()
        .encode(
            strokeWidth=alt.condition(lip, alt.value(3), alt.value(1.5)),
            opacity=alt.condition(lip, alt.value(1), alt.value(0.55)),
        )
    )
    marks = base.mark_point(filled=True, size=70, opacity=1)
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=ink.faint, strokeWidth=2)
    chart: Chart = alt.layer(
        zero.encode(x=alt.X("x:Q", **axis)),
        spans.encode(x=alt.X("low:Q", **axis), x2=alt.X2("high:Q")),
        marks.encode(x=alt.X("gain:Q", **axis), shape=shape),
    ).properties(height=alt.Step(ROW_PX, **{"for": "offset"}), width="container")
    return chart
