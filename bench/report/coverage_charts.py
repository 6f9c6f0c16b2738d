"""What of a plan is done, as charts: pure functions of frames."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from bench.records import STATUSES
from bench.report.gain_charts import LETTER_PX
from bench.report.ink import LIGHT, Chart, Ink
from bench.stats.frame import CELL

DONE, PARTLY, FAILED, MISSING, NO_VALUE, LEFT_OUT = STATES = (
    "done",
    "partly done",
    "failed",
    "missing",
    "without a value",
    "left out",
)
"""What a cell can be, from its trainings; the order is that of the legend."""

GLYPHS = {PARTLY: "½", FAILED: "×", MISSING: "o", NO_VALUE: "?", LEFT_OUT: "–"}
"""Signs beside the colours, of letters that every font has."""

GLYPH_PX = 9
TALL_PX, LOW_PX = 20, 14
MANY_ROWS = 30


def coverage_frame(
    statuses: pd.DataFrame, excluded: pd.DataFrame, lacking: Mapping[tuple[str, str, str], int]
) -> pd.DataFrame:
    """Cells of a plan with what became of them.

    Args:
        statuses: dataset, noise, method, status, trainings, in the order of the plan.
        excluded: dataset, noise, method, reason.
        lacking: evaluations without a value, by (dataset, noise, method).

    Returns:
        dataset, noise, method, state (of ``STATES``), planned, done, failed, missing, lacking,
        reason.
    """
    kind = statuses["status"].where(statuses["status"].isin([DONE, MISSING]), FAILED)
    counted = (
        statuses.assign(kind=kind)
        .pivot_table(
            index=CELL, columns="kind", values="trainings", aggfunc="sum", fill_value=0, sort=False
        )
        .reindex(columns=[DONE, FAILED, MISSING], fill_value=0)
        .astype(int)
        .reset_index()
    )
    counted["planned"] = counted[DONE] + counted[FAILED] + counted[MISSING]
    keys = list(counted[CELL].itertuples(index=False, name=None))
    counted["lacking"] = [lacking.get(key, 0) for key in keys]
    state = pd.Series(DONE, index=counted.index)
    state = state.mask(counted["lacking"] > 0, NO_VALUE)
    state = state.mask(counted[MISSING] > 0, PARTLY)
    state = state.mask(counted[MISSING] == counted["planned"], MISSING)
    counted["state"] = state.mask(counted[FAILED] > 0, FAILED)
    counted["reason"] = ""
    numbers = ["planned", DONE, FAILED, MISSING, "lacking"]
    # One cell can be left out for two reasons, and a plan never asks for what it leaves out.
    out = excluded.drop_duplicates(CELL)[[*CELL, "reason"]].assign(
        state=LEFT_OUT, **dict.fromkeys(numbers, 0)
    )
    columns = [*CELL, "state", *numbers, "reason"]
    return pd.concat([counted[columns], out[columns]], ignore_index=True)


def status_bar(totals: pd.Series, ink: Ink = LIGHT) -> Chart:
    """All trainings as one bar: done, failed by kind, missing.

    Args:
        totals: number of trainings by status.
        ink: colours of the page.
    """
    order = [DONE, *(s for s in STATUSES if s != DONE), MISSING]
    order += sorted(set(totals.index) - set(order))
    present = [status for status in order if totals.get(status, 0)]
    bad = [status for status in present if status not in (DONE, MISSING)]
    shades = {s: _mix(ink.harm_fill, ink.text, 0.45 * i / len(bad)) for i, s in enumerate(bad)}
    fills = {DONE: ink.gain_fill, MISSING: ink.still, **shades}
    labels = [f"{totals[status]:,} {status}" for status in present]
    numbers = [int(totals[status]) for status in present]
    frame = pd.DataFrame(
        {"status": labels, "trainings": numbers, "place": range(len(present)), "bar": "all"}
    )
    chart: Chart = (
        alt.Chart(frame)
        .mark_bar(stroke=ink.faint, strokeWidth=1)
        .encode(
            # A band of its own, since a chart of a fixed height has no room left for a legend.
            y=alt.Y("bar:N", axis=None),
            x=alt.X("trainings:Q", stack="zero", axis=None, scale=alt.Scale(nice=False)),
            order=alt.Order("place:Q"),
            color=alt.Color(
                "status:N",
                scale=alt.Scale(domain=labels, range=[fills[status] for status in present]),
                legend=alt.Legend(
                    title=None,
                    orient="bottom",
                    offset=4,
                    columns=alt.ExprRef("width < 400 ? 2 : 8"),
                    symbolType="square",
                    symbolStrokeColor=ink.faint,
                    symbolStrokeWidth=1,
                ),
            ),
            tooltip=[alt.Tooltip("status:N", title="trainings")],
        )
        .properties(height=alt.Step(28), width="container")
        .configure_view(stroke=None)
    )
    return chart


def coverage_map(
    frame: pd.DataFrame, names: Mapping[tuple[str, str], str], ink: Ink = LIGHT
) -> Chart:
    """Methods × blocks, a cell in the colour and the sign of its state.

    The longer axis goes down, where a page has room; tooltips say what narrow cells cannot.

    Args:
        frame: as ``coverage_frame`` gives it.
        names: a short name for every (dataset, noise), in order.
        ink: colours of the page.
    """
    pairs = zip(frame["dataset"], frame["noise"], strict=True)
    drawn = frame.assign(
        block=[names[pair] for pair in pairs],
        glyph=frame["state"].map(GLYPHS).fillna(""),
        status=[_labelled(state) for state in frame["state"]],
        trainings=[_share(row) for row in frame[[DONE, "planned"]].itertuples(index=False)],
    )
    there = set(drawn["block"])
    blocks = [name for name in names.values() if name in there]
    methods = list(dict.fromkeys(drawn["method"]))
    upright = len(methods) >= len(blocks)
    down, across = (("method", methods), ("block", blocks))[:: 1 if upright else -1]
    found = set(frame["state"])
    present = [state for state in STATES if state in found]
    x = alt.X(f"{across[0]}:N", sort=across[1], title=None, axis=_top(across[1]))
    y = alt.Y(
        f"{down[0]}:N",
        sort=down[1],
        title=None,
        axis=alt.Axis(
            labelLimit=230, labelFlush=False, labelOverlap=False, ticks=False, domain=False
        ),
    )
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("dataset:N", title="data set"),
        alt.Tooltip("noise:N"),
        alt.Tooltip("state:N"),
        alt.Tooltip("trainings:N", title="done"),
        alt.Tooltip("failed:Q"),
        alt.Tooltip("lacking:Q", title="without a value"),
        alt.Tooltip("reason:N"),
    ]
    fills = _fills(ink)
    colour = alt.Color(
        "status:N",
        scale=alt.Scale(
            domain=[_labelled(state) for state in present], range=[fills[s] for s in present]
        ),
        legend=alt.Legend(
            title=None,
            orient="bottom",
            columns=alt.ExprRef("width < 400 ? 2 : 6"),
            symbolType="square",
            symbolStrokeColor=ink.faint,
            symbolStrokeWidth=1,
        ),
    )
    base = alt.Chart(drawn[[*_SENT]]).encode(x=x, y=y, tooltip=tooltip)
    fits = alt.ExprRef(f"width < {len(across[1]) * GLYPH_PX} ? 0 : 1")
    cells = base.mark_rect(stroke=ink.faint, strokeWidth=0.5).encode(color=colour)
    signs = base.mark_text(color=ink.text, fontSize=10, opacity=fits).encode(
        text=alt.Text("glyph:N")
    )
    step = LOW_PX if len(down[1]) > MANY_ROWS else TALL_PX
    chart: Chart = alt.layer(cells, signs).properties(height=alt.Step(step), width="container")
    chart = chart.configure_scale(bandPaddingInner=0.04).configure_view(stroke=None)
    return chart


_SENT = (
    *("method", "block", "dataset", "noise", "state", "status", "glyph"),
    *("trainings", "failed", "lacking", "reason"),
)


def _top(names: list[str]) -> alt.Axis:
    """Names that tilt where columns are narrow, and give way to tooltips where they are lines."""
    longest = max((len(word) for name in names for word in name.split()), default=0)
    narrow = f"width < {len(names) * (LETTER_PX * longest + 4)}"
    return alt.Axis(
        orient="top",
        labelExpr=f"{narrow} ? datum.label : split(datum.label, ' ')",
        labelAngle=alt.ExprRef(f"{narrow} ? -50 : 0"),
        labelAlign=alt.ExprRef(f"{narrow} ? 'left' : 'center'"),
        labelBaseline="bottom",
        labelLimit=130,
        labelOverlap=False,
        labelOpacity=alt.ExprRef(f"width < {len(names) * GLYPH_PX} ? 0 : 1"),
        ticks=False,
        domain=False,
    )


def _fills(ink: Ink) -> dict[str, str]:
    """Blue holds results, orange errors, grey nothing; the stronger, the more of it."""
    return {
        DONE: ink.gain_fill,
        PARTLY: _mix(ink.gain_fill, ink.still, 0.6),
        FAILED: ink.harm_fill,
        MISSING: ink.still,
        NO_VALUE: _mix(ink.harm_fill, ink.still, 0.55),
        LEFT_OUT: "transparent",
    }


def _labelled(state: str) -> str:
    glyph = GLYPHS.get(state, "")
    return f"{glyph} {state}" if glyph else state


def _share(row: tuple[int, int]) -> str:
    done, planned = row
    return f"{done} of {planned}" if planned else "not planned"


def _mix(one: str, other: str, share: float) -> str:
    """A colour between two, ``share`` of the way to the other."""
    pairs = ((int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round((1 - share) * a + share * b):02x}" for a, b in pairs)
