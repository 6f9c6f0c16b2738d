"""Label noise as charts: the matrix, and images under wrong labels."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from bench.errors import BenchError, nearest

if TYPE_CHECKING:
    from bench.data.audit import Example, NoiseAudit

Chart = alt.LayerChart | alt.FacetChart
"""As Altair types a layered chart."""
FORMATS = (".png", ".svg", ".html")
MOST_NAMES = 24
"""With more classes a matrix shows ids on its axes, not every one of them."""
MOST_FIGURES = 12
"""With more classes the cells hold no figures."""
SHORT = 2
"""Letters of a class name that stands upright under its column."""
PLOT_PX = 360
IMAGE_PX = 56
ACROSS = 6


def matrix_frame(matrix: Sequence[Sequence[float]], names: Sequence[str]) -> pd.DataFrame:
    """A row a cell: true, given, share, true_name, given_name."""
    return pd.DataFrame(
        [
            {"true": i, "given": j, "share": value, "true_name": names[i], "given_name": names[j]}
            for i, row in enumerate(matrix)
            for j, value in enumerate(row)
        ]
    )


def heat_map(
    matrix: Sequence[Sequence[float]],
    names: Sequence[str],
    title: str = "",
    *,
    dark: bool = False,
) -> Chart:
    """P(given | true): true classes down, given labels across.

    Args:
        matrix: ``(C, C)``, rows sum to 1.
        names: of the classes.
        title: above the chart.
        dark: colours for a dark page.
    """
    many = len(names) > MOST_NAMES
    kind, true, given = ("O", "true", "given") if many else ("N", "true_name", "given_name")
    frame = matrix_frame(matrix, names)
    axis: dict[str, Any] = {"labelLimit": 110, "labelOverlap": True}
    across = axis | ({"labelAngle": 0} if max(map(len, names)) <= SHORT else {})
    base = alt.Chart(frame, title=alt.TitleParams(title, anchor="start")).encode(
        x=alt.X(f"{given}:{kind}", title="given label", sort=None, axis=alt.Axis(**across)),
        y=alt.Y(f"{true}:{kind}", title="true class", sort=None, axis=alt.Axis(**axis)),
    )
    ground = "#23262e" if dark else "#f4f5f7"
    cells = base.mark_rect().encode(
        color=alt.Color(
            "share:Q",
            title="share",
            scale=alt.Scale(domain=[0, 1], range=[ground, "#2f7fc1"]),
            legend=alt.Legend(format=".0%", gradientLength=160),
        ),
        tooltip=[
            alt.Tooltip("true_name:N", title="true"),
            alt.Tooltip("given_name:N", title="given"),
            alt.Tooltip("share:Q", format=".2%"),
        ],
    )
    layers: list[Any] = [cells]
    if len(names) <= MOST_FIGURES:
        ink = "#ffffff" if dark else "#14161c"
        layers.append(
            base.transform_filter("datum.share >= 0.005")
            .mark_text(fontSize=10)
            .encode(
                text=alt.Text("share:Q", format=".2f"),
                color=alt.condition("datum.share > 0.6", alt.value("#ffffff"), alt.value(ink)),
            )
        )
    return alt.layer(*layers).properties(width=PLOT_PX, height=PLOT_PX)


def caption(example: Example, names: Sequence[str]) -> str:
    """``given → true``; an image of no class, and one whose class nobody knows, say so."""
    if example.foreign:
        return f"{names[example.given]} → no class"
    return f"{names[example.given]} → {'?' if example.true is None else names[example.true]}"


def data_url(png: bytes) -> str:
    """An image inside an address."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def example_grid(examples: Sequence[Example], names: Sequence[str]) -> Chart:
    """Images under wrong labels, each with ``given → true``."""
    frame = pd.DataFrame(
        [
            {
                "url": data_url(example.png),
                "caption": caption(example, names),
                "column": number % ACROSS,
                "row": number // ACROSS,
            }
            for number, example in enumerate(examples)
        ]
    )
    rows = -(-len(examples) // ACROSS)
    base = alt.Chart(
        frame, title=alt.TitleParams("Wrong labels: given → true", anchor="start")
    ).encode(x=alt.X("column:O", axis=None), y=alt.Y("row:O", axis=None))
    pictures = base.mark_image(width=IMAGE_PX, height=IMAGE_PX, yOffset=-8).encode(
        url=alt.Url("url:N")
    )
    words = base.mark_text(dy=IMAGE_PX / 2 + 2, fontSize=10, limit=110).encode(
        text=alt.Text("caption:N")
    )
    return alt.layer(pictures, words).properties(width=ACROSS * 116, height=rows * (IMAGE_PX + 34))


def picture(found: NoiseAudit, shown: Sequence[Example]) -> alt.VConcatChart:
    """Realised and nominal matrix side by side, and examples under them."""
    names = found.class_names
    maps = []
    if found.matrix is not None:
        maps.append(heat_map(found.matrix.tolist(), names, "As realised"))
    if found.nominal is not None:
        maps.append(heat_map(found.nominal.tolist(), names, "As asked for"))
    parts: list[Any] = [alt.hconcat(*maps)] if maps else []
    parts += [example_grid(shown, names)] if shown else []
    if not parts:
        raise BenchError("there is nothing to draw: no matrix is known, and there are no images")
    known = found.realised_rate
    rate = "unknown" if known is None else f"{100 * known:.2f} %"
    title = f"{found.noise} on {found.dataset}: {rate} wrong, seed {found.seed}"
    return alt.vconcat(*parts).properties(title=title)


def save(chart: Any, path: Path) -> None:
    """Write a chart as png, svg or html, by the suffix.

    Raises:
        BenchError: another suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        valid = ", ".join(FORMATS)
        raise BenchError(f"{path}: charts are written as {valid}{nearest(suffix, FORMATS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".html":
        chart.save(path, inline=True)
    else:
        chart.save(path, **({"ppi": 144} if suffix == ".png" else {}))
