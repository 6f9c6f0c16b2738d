"""Average ranks, strengths and wins as charts: pure functions of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from bench.report.ink import LIGHT, Chart, Ink

ROW_PX, BAR_PX, AXIS_PX, RULER_PX = 19, 7, 52, 16
"""Heights in a critical-difference diagram: a label, a bar, the axis and the ruler over it."""

MOST_TICKS = 14

MOST_FIGURES = 16
"""With more methods than this a matrix of wins holds no figures."""


def bar_levels(spans: Sequence[tuple[float, float]]) -> list[int]:
    """A level for every bar, the lowest at which it meets no other."""
    taken: list[list[tuple[float, float]]] = []
    levels = []
    for low, high in spans:
        free = (
            level
            for level, others in enumerate(taken)
            if all(high < start or low > stop for start, stop in others)
        )
        level = next(free, len(taken))
        if level == len(taken):
            taken.append([])
        taken[level].append((low, high))
        levels.append(level)
    return levels


def critical_difference_chart(
    ranks: pd.Series, difference: float, cliques: Sequence[Sequence[str]], ink: Ink = LIGHT
) -> Chart:
    """Demšar's diagram: methods at their average ranks, a bar over those that no test tells apart.

    Args:
        ranks: average rank of every method, 1 is best.
        difference: the critical difference, drawn to scale above the axis.
        cliques: as ``stats.ranks.cliques`` gives them.
        ink: colours of the page.
    """
    ordered = ranks.sort_values(kind="stable")
    left = (len(ordered) + 1) // 2
    low, high = float(ordered.min()), float(ordered.max())
    span = max(high - low, difference, 0.5)
    room = 0.42 * span
    at = {str(method): float(rank) for method, rank in ranks.items()}
    spans = [(min(at[m] for m in group), max(at[m] for m in group)) for group in cliques]
    levels = bar_levels(spans)
    top = AXIS_PX + BAR_PX * (max(levels, default=-1) + 2)
    rows = []
    for position, (method, rank) in enumerate(ordered.items()):
        on_left = position < left
        row = position if on_left else len(ordered) - 1 - position
        edge = low - 0.03 * span if on_left else high + 0.03 * span
        rows.append(
            {
                "method": str(method),
                "rank": float(rank),
                "y": top + ROW_PX * (row + 0.7),
                "edge": edge,
                "side": "left" if on_left else "right",
                "label": f"{method}  {rank:.2f}" if on_left else f"{rank:.2f}  {method}",
            }
        )
    height = top + ROW_PX * (left + 0.5)
    # Where all ranks are close the ruler reaches further than they do. NaN is never the larger.
    right = max(high + room, low + difference + 0.05 * span)
    across = alt.Scale(domain=[low - room, right], nice=False, zero=False)
    down = alt.Scale(domain=[height, 0], nice=False)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=across, axis=None)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=down, axis=None)

    tooltip = [alt.Tooltip("method:N"), alt.Tooltip("rank:Q", format=".3f", title="average rank")]
    # By name: every layer would look through a frame of its own again.
    datasets: dict[str, Any] = {"methods": [row | {"axis": AXIS_PX} for row in rows]}
    base = alt.Chart(alt.NamedData("methods"))
    layers: list[Any] = [
        base.mark_rule(color=ink.faint).encode(x=x("rank"), y=y("y"), y2=alt.Y2("axis:Q")),
        base.mark_rule(color=ink.faint).encode(x=x("rank"), x2=alt.X2("edge:Q"), y=y("y")),
        base.mark_circle(color=ink.accent, size=50, opacity=1).encode(
            x=x("rank"), y=y("axis"), tooltip=tooltip
        ),
    ]
    texts: dict[str, Any] = {"baseline": "middle", "color": ink.text, "fontSize": 12}
    aligned: dict[str, dict[str, Any]] = {
        "left": {"align": "right", "dx": -4},
        "right": {"align": "left", "dx": 4},
    }
    for side, alignment in aligned.items():
        words = base.transform_filter(f"datum.side === '{side}'").mark_text(**texts, **alignment)
        layers.append(
            words.encode(x=x("edge"), y=y("y"), text=alt.Text("label:N"), tooltip=tooltip)
        )
    datasets["ticks"] = _ticks(low, high)
    datasets["line"] = [{"from": low, "to": high, "y": AXIS_PX}]
    marks = alt.Chart(alt.NamedData("ticks"))
    layers += [
        alt.Chart(alt.NamedData("line"))
        .mark_rule(color=ink.text)
        .encode(x=x("from"), x2=alt.X2("to:Q"), y=y("y")),
        marks.mark_tick(color=ink.text, orient="vertical", thickness=1, height=6).encode(
            x=x("rank"), y=y("y")
        ),
        marks.mark_text(dy=-11, color=ink.text, fontSize=11).encode(
            x=x("rank"), y=y("y"), text=alt.Text("text:N")
        ),
    ]
    if difference == difference:  # NaN where there is none
        text = f"CD = {difference:.2f}"
        datasets["ruler"] = [{"from": low, "to": low + difference, "text": text, "y": RULER_PX}]
        ruler = alt.Chart(alt.NamedData("ruler"))
        layers += [
            ruler.mark_rule(color=ink.harm, strokeWidth=3).encode(
                x=x("from"), x2=alt.X2("to:Q"), y=y("y")
            ),
            ruler.mark_text(align="left", dy=-9, color=ink.text, fontSize=11).encode(
                x=x("from"), y=y("y"), text=alt.Text("text:N")
            ),
        ]
    if spans:
        datasets["groups"] = [
            {
                "from": start - 0.006 * span,
                "to": stop + 0.006 * span,
                "y": AXIS_PX + BAR_PX * (level + 1.2),
                "methods": ", ".join(map(str, group)),
            }
            for (start, stop), level, group in zip(spans, levels, cliques, strict=True)
        ]
        layers.append(
            alt.Chart(alt.NamedData("groups"))
            .mark_rule(color=ink.text, strokeWidth=4, strokeCap="round")
            .encode(
                x=x("from"),
                x2=alt.X2("to:Q"),
                y=y("y"),
                tooltip=[alt.Tooltip("methods:N", title="not told apart")],
            )
        )
    # Given at once: properties() and configure_view() would each copy every layer.
    config = alt.Config(view=alt.ViewConfig(stroke=None))
    chart: Chart = alt.LayerChart(
        layer=layers, datasets=datasets, height=height, width="container", config=config
    )
    return chart


def _ticks(low: float, high: float) -> list[dict[str, Any]]:
    """Round ranks between the best and the worst, at most fourteen."""
    steps = (0.5, 1, 2, 5, 10, 20, 50)
    step = next((s for s in steps if (high - low) / s <= MOST_TICKS), steps[-1])
    first = -(-low // step) * step
    ticks = [first + step * i for i in range(int((high - first) // step) + 1)]
    return [{"rank": tick, "text": f"{tick:g}", "y": AXIS_PX} for tick in ticks]


def strength_chart(strengths: pd.DataFrame, ink: Ink = LIGHT) -> Chart:
    """Bradley-Terry strengths with their intervals, the strongest first.

    Args:
        strengths: method, strength, low, high, as ``stats.bradley_terry.strengths`` gives them.
        ink: colours of the page.
    """
    order = list(strengths["method"])
    scale = alt.Scale(zero=False, nice=True, padding=8)
    title = "strength (400 points are odds of 10 to 1)"
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("strength:Q", format=".0f"),
        alt.Tooltip("low:Q", format=".0f", title="95 % from"),
        alt.Tooltip("high:Q", format=".0f", title="to"),
    ]
    base = alt.Chart(strengths).encode(
        y=alt.Y("method:N", sort=order, title=None, axis=alt.Axis(labelLimit=180, ticks=False)),
        tooltip=tooltip,
    )
    spans = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=3, color=ink.accent)
    chart: Chart = alt.layer(
        spans.encode(x=alt.X("low:Q", scale=scale, title=title), x2=alt.X2("high:Q")),
        base.mark_circle(size=90, color=ink.accent, opacity=1).encode(
            x=alt.X("strength:Q", scale=scale, title=title)
        ),
    ).properties(height=alt.Step(22), width="container")
    return chart


def win_frame(wins: pd.DataFrame, ties: pd.DataFrame, losses: pd.DataFrame) -> pd.DataFrame:
    """A row a pair of methods: method, other, wins, ties, losses, share (of blocks won, in %)."""
    rows = []
    for method in wins.index:
        for other in wins.columns:
            if method == other:
                continue
            won, tied, lost = (int(t.loc[method, other]) for t in (wins, ties, losses))
            rows.append(
                {
                    "method": str(method),
                    "other": str(other),
                    "wins": won,
                    "ties": tied,
                    "losses": lost,
                    "share": 100 * (won + tied / 2) / max(1, won + tied + lost),
                }
            )
    columns = ["method", "other", "wins", "ties", "losses", "share"]
    return pd.DataFrame(rows, columns=columns)


def win_chart(frame: pd.DataFrame, ink: Ink = LIGHT) -> Chart:
    """Who beats whom in how many blocks: blue where the row wins more, orange where it loses more.

    Args:
        frame: as ``win_frame`` gives it, methods in order of rank.
        ink: colours of the page.
    """
    methods = list(dict.fromkeys(frame["method"]))
    axis: dict[str, Any] = {"labelLimit": 150, "ticks": False, "domain": False}
    base = alt.Chart(frame).encode(
        x=alt.X(
            "other:N",
            sort=methods,
            title="against",
            axis=alt.Axis(orient="top", labelAngle=-50, labelOverlap=False, **axis),
        ),
        y=alt.Y("method:N", sort=methods, title=None, axis=alt.Axis(**axis)),
        tooltip=[
            alt.Tooltip("method:N"),
            alt.Tooltip("other:N", title="against"),
            alt.Tooltip("wins:Q"),
            alt.Tooltip("ties:Q"),
            alt.Tooltip("losses:Q"),
            alt.Tooltip("share:Q", format=".0f", title="won, % (ties half)"),
        ],
    )
    colour = alt.Color(
        "share:Q",
        title="blocks won, %",
        scale=alt.Scale(
            domain=[0, 50, 100],
            range=[ink.harm_fill, ink.still, ink.gain_fill],
            interpolate="lab",
        ),
        legend=alt.Legend(orient="bottom", gradientLength=200, gradientThickness=10),
    )
    layers: list[Any] = [base.mark_rect(cornerRadius=1).encode(color=colour)]
    if len(methods) <= MOST_FIGURES:
        layers.append(base.mark_text(fontSize=11, color=ink.text).encode(text=alt.Text("wins:Q")))
    chart: Chart = alt.layer(*layers).properties(
        height=alt.Step(24 if len(methods) <= MOST_FIGURES else 14), width="container"
    )
    chart = chart.configure_scale(bandPaddingInner=0.05).configure_view(stroke=None)
    return chart
