"""Charts as files on white paper."""

from __future__ import annotations

import io
from threading import Lock
from typing import Any

import altair as alt

WIDTH_PX = 900
"""Of a chart in a file, where the page would give it the room there is."""

SCALE = 2
"""Pixels of a PNG per pixel of the page."""


def picture(chart: Any, form: str, width: int = WIDTH_PX) -> bytes:
    """A chart as a file on white paper.

    Args:
        chart: an Altair chart; where its width is the page's, it gets ``width``.
        form: ``png`` or ``svg``.
        width: in pixels, without axes.
    """
    with _many_rows:
        limit = alt.data_transformers.enable(max_rows=None)
        with limit:
            return _drawn(chart, form, width)


_many_rows = Lock()
"""Altair's limit of rows, meant for notebooks, is one setting for all threads."""


def _drawn(chart: Any, form: str, width: int) -> bytes:
    if getattr(chart, "width", None) == "container":
        chart = chart.properties(width=width)
    chart = chart.configure(background="#ffffff", **_configured(chart))
    if form == "png":
        buffer = io.BytesIO()
        chart.save(buffer, format="png", scale_factor=SCALE)
        return buffer.getvalue()
    text = io.StringIO()
    chart.save(text, format="svg")
    return text.getvalue().encode()


def _configured(chart: Any) -> dict[str, Any]:
    """What the chart had configured already; ``configure`` would forget it."""
    found = chart.to_dict().get("config", {})
    return {key: value for key, value in found.items() if key not in ("background", "view")} | {
        "view": {"continuousWidth": 300, "continuousHeight": 300, **found.get("view", {})}
    }
