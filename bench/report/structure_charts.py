"""The singular structure of trained heads as charts."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

RATES = alt.Scale(scheme="viridis")
"""Colours of noise rates: ordered, and apart for every kind of colour vision."""

GREY, BLUE, ORANGE = "#8a90a0", "#2f7fc1", "#c2570c"
LEAST = 1e-6
"""Sines below this are not drawn."""
WIDTH_PX, HEIGHT_PX, MAP_PX = 300, 240, 300


def spectra_chart(found: pd.DataFrame) -> Any:
    """Singular values against position, a line a noise rate, a panel a kind of noise.

    Args:
        found: ``stats.twins.spectra`` of one data set and method. The dashed line is the head of
            true labels, in every panel.
    """
    clean = found[found["is_clean"]]
    panels = []
    for kind, group in found[~found["is_clean"]].groupby("kind", sort=False):
        base = alt.Chart(group.assign(wrong=100 * group["rate"])).encode(
            x=alt.X("position:Q", title="position", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("relative:Q", title="singular value / largest", scale=alt.Scale(domain=[0, 1])),
            tooltip=[
                alt.Tooltip("noise:N"),
                alt.Tooltip("wrong:Q", format=".1f", title="wrong, %"),
                alt.Tooltip("position:Q"),
                alt.Tooltip("value:Q", format=".4g"),
            ],
        )
        lines: list[Any] = [
            base.mark_line().encode(
                color=alt.Color("wrong:Q", title="wrong labels, %", scale=RATES),
                detail=alt.Detail("noise:N"),
            )
        ]
        if len(clean):
            lines.append(
                alt.Chart(clean)
                .mark_line(color=GREY, strokeDash=[5, 4])
                .encode(x=alt.X("position:Q"), y=alt.Y("relative:Q"))
            )
        title = alt.TitleParams(str(kind), anchor="start")
        panels.append(alt.layer(*lines).properties(title=title, width=WIDTH_PX, height=HEIGHT_PX))
    return alt.hconcat(*panels)


def rank_chart(found: pd.DataFrame) -> Any:
    """Effective rank against the share of wrong labels, a line a kind of noise.

    Args:
        found: ``stats.twins.ranks`` of one data set and method. Bars reach from the lowest to the
            highest seed; every line starts at the head of true labels.
    """
    kinds = list(dict.fromkeys(found[~found["is_clean"]]["kind"]))
    clean = found[found["is_clean"]]
    joined = pd.concat(
        [found[~found["is_clean"]], *(clean.assign(kind=kind) for kind in kinds)], ignore_index=True
    )
    base = alt.Chart(joined.assign(wrong=100 * joined["rate"])).encode(
        x=alt.X("wrong:Q", title="wrong labels, %"),
        color=alt.Color("kind:N", title="noise", sort=kinds, scale=_kinds(kinds)),
    )
    y = alt.Y("effective_rank:Q", title="effective rank", scale=alt.Scale(zero=False))
    return alt.layer(
        base.mark_rule(opacity=0.6).encode(
            y=alt.Y("lowest:Q", title="effective rank"), y2=alt.Y2("highest:Q")
        ),
        base.mark_line().encode(y=y),
        base.mark_point(filled=True, size=50).encode(
            y=y,
            shape=alt.Shape("kind:N", title="noise", sort=kinds),
            tooltip=[
                alt.Tooltip("noise:N"),
                alt.Tooltip("wrong:Q", format=".1f", title="wrong, %"),
                alt.Tooltip("effective_rank:Q", format=".3f"),
                alt.Tooltip("seeds:Q"),
            ],
        ),
    ).properties(width=WIDTH_PX * 1.4, height=HEIGHT_PX)


def similarity_chart(found: pd.DataFrame) -> Any:
    """φ(i, j) and what of it is above chance, side by side.

    Args:
        found: ``stats.twins.similarity_map`` of one cell. Where chance is 1 nothing can be above
            it, and the cell stays empty.
    """
    maps = [
        _map(found, "similarity", "φ(i, j)", "φ"),
        _map(found.dropna(subset=["above_chance"]), "above_chance", "Above chance", "share"),
    ]
    return alt.hconcat(*maps).resolve_scale(color="independent")


def angle_chart(found: pd.DataFrame) -> Any:
    """The largest principal angle at every k, of trained twins and of ridge heads, with the bound.

    Args:
        found: ``stats.twins.angles`` of one cell. The axis is logarithmic because the bound is
            looser than the angle by orders of magnitude; above 1 it says nothing.
    """
    names = {
        "sine": "trained heads",
        "ridge_sine": "ridge heads, same features",
        "ridge_bound": "bound for ridge heads",
    }
    long = found.melt(id_vars="k", value_vars=list(names), var_name="line", value_name="size")
    # At full rank both subspaces are the whole space, and the angle is rounding.
    long = long[(long["size"] > LEAST) & (long["size"] < float("inf"))]
    long["line"] = long["line"].map(names)
    domain = [name for name in names.values() if name in set(long["line"])]
    colours = dict(zip(names.values(), (BLUE, ORANGE, GREY), strict=True))
    lines = (
        alt.Chart(long)
        .mark_line(point=alt.OverlayMarkDef(size=24))
        .encode(
            x=alt.X("k:Q", title="k", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("size:Q", title="sin θ (log)", scale=alt.Scale(type="log")),
            color=alt.Color(
                "line:N",
                title=None,
                scale=alt.Scale(domain=domain, range=[colours[name] for name in domain]),
                legend=alt.Legend(labelLimit=260),
            ),
            strokeDash=alt.StrokeDash(
                "line:N",
                title=None,
                scale=alt.Scale(domain=domain, range=[[1, 0], [1, 0], [5, 4]][-len(domain) :]),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("line:N", title="what"),
                alt.Tooltip("k:Q"),
                alt.Tooltip("size:Q", format=".3g", title="sin θ or bound"),
            ],
        )
    )
    one = alt.Chart(pd.DataFrame({"size": [1.0]})).mark_rule(color=GREY, strokeWidth=0.7)
    return alt.layer(one.encode(y=alt.Y("size:Q")), lines).properties(
        width=WIDTH_PX * 1.4, height=HEIGHT_PX
    )


def _map(found: pd.DataFrame, column: str, title: str, unit: str) -> Any:
    return (
        alt.Chart(found, title=alt.TitleParams(title, anchor="start"))
        .mark_rect()
        .encode(
            x=alt.X("j:O", title="j, wrong labels", axis=alt.Axis(labelOverlap=True, labelAngle=0)),
            y=alt.Y("i:O", title="i, true labels", axis=alt.Axis(labelOverlap=True)),
            color=alt.Color(
                f"{column}:Q",
                title=unit,
                scale=alt.Scale(scheme="viridis", domain=[0, 1], clamp=True),
            ),
            tooltip=[
                alt.Tooltip("i:O"),
                alt.Tooltip("j:O"),
                alt.Tooltip("similarity:Q", format=".3f", title="φ"),
                alt.Tooltip("chance:Q", format=".3f"),
                alt.Tooltip("above_chance:Q", format=".3f", title="above chance"),
            ],
        )
        .properties(width=MAP_PX, height=MAP_PX)
    )


def _kinds(kinds: list[str]) -> alt.Scale:
    palette = ["#2f7fc1", "#c2570c", "#5b8c3e", "#8a5bb0", "#b8893a", "#4a9a9a"]
    return alt.Scale(domain=kinds, range=[palette[i % len(palette)] for i in range(len(kinds))])
