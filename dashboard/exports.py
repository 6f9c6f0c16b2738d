"""Tables and charts with their files: every table as CSV and LaTeX, every chart as PNG and SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import streamlit as st

from bench.report.ink import LIGHT, Ink
from bench.report.pictures import picture
from bench.report.render import to_latex
from bench.report.structure_files import slug
from bench.report.tables import Table
from dashboard.controls import ink


class Shown(NamedTuple):
    """A table as ``st.dataframe`` takes it.

    Attributes:
        frame: a frame, or a styled one.
        columns: settings of columns, with their headings.
        best: (row, column) of the cells to stress in LaTeX.
    """

    frame: Any
    columns: dict[str, Any]
    best: frozenset[tuple[int, int]] = frozenset()


def show_table(
    shown: Shown,
    title: str,
    *,
    csv: pd.DataFrame | Callable[[], pd.DataFrame] | None = None,
    notes: tuple[str, ...] = (),
    **settings: Any,
) -> Any:
    """The table with its downloads under it; gives what ``st.dataframe`` gives.

    Args:
        shown: the table.
        title: names the files, and is the LaTeX table's caption; unique on a page.
        csv: what the CSV holds, or what makes it; None for the table as it is shown.
        notes: sentences for the caption.
        settings: more of ``st.dataframe``'s.
    """
    found = st.dataframe(
        shown.frame,
        column_config=shown.columns,
        hide_index=True,
        **{"placeholder": "–", **settings},
    )
    files: list[tuple[str, str, Callable[[], str | bytes]]] = [
        ("CSV", "text/csv", lambda: _text_frame(shown).to_csv(index=False)),
        ("LaTeX", "text/x-tex", lambda: to_latex([as_table(shown, title, notes)])),
    ]
    if csv is not None:
        files[0] = ("CSV", "text/csv", lambda: _made(csv).to_csv(index=False))
    _downloads(title, files)
    return found


class _Drawn:
    """A chart as Streamlit takes it, which asks for its specification and no more.

    Tests hold every chart against Vega-Lite's schema; doing so again for each reader takes longer
    than drawing it.
    """

    def __init__(self, chart: Any) -> None:
        self._chart = chart

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = self._chart.to_dict(validate=False)
        return found


def specification(chart: Any) -> dict[str, Any]:
    """What a browser is sent of a chart, to be kept where a chart is drawn again and again."""
    found: dict[str, Any] = chart.to_dict(validate=False)
    named = found.get("datasets", {})
    return {**found, "datasets": {name: pa.Table.from_pylist(named[name]) for name in named}}


def show_chart(
    draw: Callable[[Ink], Any],
    title: str,
    *,
    alt: str,
    csv: pd.DataFrame | None = None,
    ready: Mapping[str, Any] | None = None,
    **settings: Any,
) -> None:
    """The chart in the page's colours, with its downloads under it in those of paper.

    Args:
        draw: makes the chart in some colours.
        title: names the files; unique on a page.
        alt: says the chart to who cannot see it.
        csv: the numbers behind it, for one more download.
        ready: its ``specification`` in the page's colours, where that was kept.
        settings: more of ``st.altair_chart``'s.
    """
    if ready is None:
        st.altair_chart(_Drawn(draw(ink())), alt=alt, **settings)
    else:
        st.vega_lite_chart(spec=dict(ready), alt=alt, **settings)
    files: list[tuple[str, str, Callable[[], str | bytes]]] = [
        ("PNG", "image/png", lambda: picture(draw(LIGHT), "png")),
        ("SVG", "image/svg+xml", lambda: picture(draw(LIGHT), "svg")),
    ]
    if csv is not None:
        files.append(("CSV", "text/csv", lambda: csv.to_csv(index=False)))
    _downloads(title, files)


def _made(csv: pd.DataFrame | Callable[[], pd.DataFrame]) -> pd.DataFrame:
    return csv() if callable(csv) else csv


def _downloads(title: str, files: list[tuple[str, str, Callable[[], str | bytes]]]) -> None:
    """Files are made when they are asked for, not when the page is drawn."""
    name = slug(title).lower()
    endings = {"LaTeX": "tex"}
    with st.container(key=f"files-{name}", horizontal=True, gap="small"):
        for label, mime, make in files:
            st.download_button(
                label,
                make,
                file_name=f"{name}.{endings.get(label, label.lower())}",
                mime=mime,
                key=f"file-{name}-{label.lower()}",
                help=f"{title} as {label}",
                on_click="ignore",
                type="tertiary",
                icon=":material/download:",
            )


def as_table(shown: Shown, title: str, notes: tuple[str, ...] = ()) -> Table:
    """The table as text, for a report's formats."""
    frame = _text_frame(shown)
    rows = tuple(tuple(row) for row in frame.itertuples(index=False))
    return Table(title, tuple(map(str, frame.columns)), rows, notes, shown.best)


def _text_frame(shown: Shown) -> pd.DataFrame:
    """Every cell as the page shows it, under the headings that the page shows."""
    frame = getattr(shown.frame, "data", shown.frame)
    columns = {}
    for name in frame.columns:
        settings = shown.columns.get(name) or {}
        label = str((settings.get("label") if settings else None) or name)
        form = (settings.get("type_config") or {}).get("format") if settings else None
        columns[label if label not in columns else f"{label} "] = [
            _text(value, form) for value in frame[name]
        ]
    return pd.DataFrame(columns)


def _text(value: Any, form: str | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if form and "%" in form and isinstance(value, (int, float)) and type(value) is not bool:
        try:
            return form % value
        except (TypeError, ValueError):
            return str(value)
    return str(value).replace("−", "-")
