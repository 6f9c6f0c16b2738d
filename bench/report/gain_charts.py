"""Gains and harms of a refiner as charts: pure functions of frames."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from bench.report.ink import LIGHT, Chart, Ink
from bench.report.tables import points

LEAST_SPAN = 0.5
"""Points at which the colour scale ends at the earliest, so that noise does not look like news."""

LETTER_PX, FIGURE_PX, LINE_PX = 6, 38, 12
"""Room for a letter of a heading, for a figure such as −0.28, and for a line of a heading."""


def gain_frame(
    by_cell: pd.DataFrame,
    methods: Sequence[str],
    blocks: Sequence[tuple[str, str]],
    names: Sequence[str],
) -> pd.DataFrame:
    """Methods × blocks, whole, in percentage points; a cell without a pair has a NaN gain.

    Returns:
        method, block, gain, low, high, off, seeds, label, dataset, noise, effect.
    """
    found = {(c["dataset"], c["noise"], c["method"]): c for c in by_cell.to_dict("records")}
    rows = []
    for method in methods:
        for block, name in zip(blocks, names, strict=True):
            row: dict[str, object] = {"method": method, "block": name, "label": "none"}
            row |= {"dataset": block[0], "noise": block[1]}
            cell = found.get((*block, method))
            if cell is not None:
                row |= {column: 100 * cell[column] for column in ("gain", "low", "high", "off")}
                row |= {
                    "seeds": int(cell["seeds"]),
                    "label": points(cell["gain"]).replace("-", "−"),
                }
            rows.append(row)
    columns = ["method", "block", "gain", "low", "high", "off", "seeds", "label"]
    columns += ["dataset", "noise"]
    frame = pd.DataFrame(rows).reindex(columns=columns)
    signs = frame["label"].str[0].map({"+": "gain", "−": "harm", "0": "no change"})
    return frame.assign(effect=signs.fillna("no pair"))


def span(gains: pd.Series) -> float:
    """Where the colour scale ends, on both sides of 0."""
    largest = gains.abs().max()
    return LEAST_SPAN if pd.isna(largest) else max(LEAST_SPAN, float(largest))


def heat_map(frame: pd.DataFrame, ink: Ink = LIGHT) -> Chart:
    """Gains of every cell: blue for gain, orange for harm, equally strong on both sides of 0.

    Args:
        frame: as ``gain_frame`` gives it.
        ink: colours of the page.
    """
    end = span(frame["gain"])
    blocks = list(dict.fromkeys(frame["block"]))
    # Names wrap at spaces where a column holds their longest word, and tilt where it does not;
    # figures that would run into each other give way to colour and the tooltip.
    longest = max((len(word) for name in blocks for word in name.split()), default=0)
    lines = max((len(name.split()) for name in blocks), default=1)
    narrow = f"width < {len(blocks) * (LETTER_PX * longest + 4)}"
    x = alt.X(
        "block:N",
        sort=blocks,
        title=None,
        axis=alt.Axis(
            orient="top",
            labelExpr=f"{narrow} ? datum.label : split(datum.label, ' ')",
            labelAngle=alt.ExprRef(f"{narrow} ? -50 : 0"),
            labelAlign=alt.ExprRef(f"{narrow} ? 'left' : 'center'"),
            labelBaseline="bottom",
            # Vega puts the first line at the axis and the others below it, over the cells.
            labelPadding=alt.ExprRef(f"{narrow} ? 2 : {2 + LINE_PX * (lines - 1)}"),
            labelLimit=140,
            labelOverlap=False,
            ticks=False,
            domain=False,
        ),
    )
    y = alt.Y(
        "method:N",
        sort=list(dict.fromkeys(frame["method"])),
        title=None,
        axis=alt.Axis(labelLimit=180, ticks=False, domain=False),
    )
    colour = alt.Color(
        "gain:Q",
        scale=alt.Scale(
            domain=[-end, 0, end],
            range=[ink.harm_fill, ink.still, ink.gain_fill],
            interpolate="lab",
        ),
        legend=alt.Legend(
            title="harm  ←  percentage points  →  gain",
            titleLimit=240,
            orient="bottom",
            direction="horizontal",
            titleAnchor="middle",
            gradientLength=220,
            gradientThickness=10,
            values=[-end, 0, end],
            labelExpr="datum.value == 0 ? '0' : format(datum.value, '+.2f')",
        ),
    )
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("block:N", title="noise"),
        alt.Tooltip("off:Q", format=".2f", title="off, %"),
        alt.Tooltip("gain:Q", format="+.3f", title="gain, points"),
        alt.Tooltip("low:Q", format="+.3f", title="95 % from"),
        alt.Tooltip("high:Q", format="+.3f", title="to"),
        alt.Tooltip("seeds:Q"),
    ]
    base = alt.Chart(frame).encode(x=x, y=y, tooltip=tooltip)
    filled = base.transform_filter("isValid(datum.gain)").mark_rect(cornerRadius=2)
    holes = base.transform_filter("!isValid(datum.gain)").mark_rect(
        fillOpacity=0, stroke=ink.faint, strokeDash=[3, 3], strokeWidth=1
    )
    fits = alt.ExprRef(f"width < {len(blocks) * FIGURE_PX} ? 0 : 1")
    words = base.mark_text(fontSize=13, opacity=fits, color=ink.text).encode(
        text=alt.Text("label:N")
    )
    chart: Chart = alt.layer(filled.encode(color=colour), holes, words)
    chart = chart.properties(height=alt.Step(36), width="container")
    chart = chart.configure_scale(bandPaddingInner=0.06).configure_view(stroke=None)
    return chart


def gain_against_off(frame: pd.DataFrame, ink: Ink = LIGHT) -> Chart:
    """Gain of every cell against its accuracy without the plug-in."""
    kinds = {
        "gain": (ink.gain, "triangle-up"),
        "no change": (ink.faint, "circle"),
        "harm": (ink.harm, "triangle-down"),
    }
    kept = frame[frame["gain"].notna()]
    # Two channels for one thing, so that colour is never the only sign.
    colour = alt.Color(
        "effect:N",
        scale=alt.Scale(domain=list(kinds), range=[colour for colour, _ in kinds.values()]),
        legend=alt.Legend(title=None, orient="top", symbolOpacity=1),
    )
    shape = alt.Shape(
        "effect:N",
        scale=alt.Scale(domain=list(kinds), range=[shape for _, shape in kinds.values()]),
    )
    x = alt.X(
        "off:Q",
        title="test accuracy with the refiner off, %",
        scale=alt.Scale(zero=False, padding=8),
        axis=alt.Axis(tickCount=8),
    )
    end = 1.15 * span(kept["gain"])
    y = alt.Y("gain:Q", title="gain, points", scale=alt.Scale(domain=[-end, end], nice=False))
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("block:N", title="noise"),
        alt.Tooltip("off:Q", format=".2f", title="off, %"),
        alt.Tooltip("gain:Q", format="+.3f", title="gain, points"),
    ]
    marks = alt.Chart(kept).mark_point(filled=True, size=90, opacity=0.9)
    zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=ink.faint).encode(y=alt.Y("y:Q"))
    return alt.layer(
        zero, marks.encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip)
    ).properties(height=260, width="container")


def k_curve(curves: pd.DataFrame, column: str, off: float | None = None, ink: Ink = LIGHT) -> Chart:
    """Accuracy against k: seeds thin, their mean thick, the chosen k of each seed marked.

    Args:
        curves: seed, k, ``column`` in %, chosen.
        column: which accuracy.
        off: mean accuracy without the plug-in, as a dashed line.
        ink: colours of the page.
    """
    kept = curves[curves[column].notna()]
    x = alt.X("k:Q", title="k", axis=alt.Axis(tickMinStep=1), scale=alt.Scale(nice=False))
    y = alt.Y(f"{column}:Q", title="accuracy, %", scale=alt.Scale(zero=False))
    tooltip = [
        alt.Tooltip("seed:N"),
        alt.Tooltip("k:Q"),
        alt.Tooltip(f"{column}:Q", format=".2f", title="accuracy, %"),
    ]
    base = alt.Chart(kept).encode(x=x, y=y)
    layers = [
        base.mark_line(color=ink.faint, strokeWidth=1).encode(detail=alt.Detail("seed:N")),
        base.mark_line(color=ink.accent, strokeWidth=3).encode(y=y.aggregate("mean")),
        base.transform_filter("datum.chosen")
        .mark_point(shape="diamond", filled=True, size=110, color=ink.harm, opacity=1)
        .encode(tooltip=tooltip),
    ]
    if off is not None:
        rule = alt.Chart(pd.DataFrame({"off": [off]})).mark_rule(
            strokeDash=[6, 4], color=ink.text, opacity=0.7
        )
        layers.append(
            rule.encode(
                y=alt.Y("off:Q"), tooltip=[alt.Tooltip("off:Q", format=".2f", title="off, %")]
            )
        )
    return alt.layer(*layers).properties(height=280, width="container")
