"""A report as one HTML file that needs nothing else: to read, to print, to attach to a paper."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd
from tqdm import tqdm

from bench.report.content import Content
from bench.report.figures import Drawing
from bench.report.html_style import SCRIPT, STYLE
from bench.report.html_tables import figures, html_table
from bench.report.inline_svg import inline_svg
from bench.report.provenance import moment, provenance
from bench.report.structure_files import slug
from bench.report.suite import Section
from bench.report.tables import Table, counted

log = logging.getLogger(__name__)

RESULTS = [
    *("dataset", "noise", "method", "seed", "refiner", "test_accuracy", "noisy_val_accuracy"),
    *("k", "rank", "error", "training_key"),
]
"""Columns of the results in the file; curves are left to the database."""


def to_html(content: Content, sections: Sequence[Section]) -> str:
    """The page.

    Args:
        content: the board, for what was run and for the results of every seed.
        sections: its tables and charts.
    """
    title = content.board.title
    drawn = sum(isinstance(part, Drawing) for section in sections for part in section.parts)
    bar: tqdm[Any]
    with tqdm(total=drawn, desc="charts", unit="chart", leave=False, disable=None) as bar:
        body = [_section(number, section, bar) for number, section in enumerate(sections)]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style></head><body>",
            _header(content),
            _contents(sections),
            "<main>",
            _about(content),
            *body,
            _results(content.results),
            "</main>",
            f"<script>{SCRIPT}</script>",
            "</body></html>",
            "",
        ]
    )


def _header(content: Content) -> str:
    name = str(content.spec.get("title") or content.board.suite)
    return (
        f"<header><h1>{escape(name)}</h1>"
        f'<p class="lead">LIPBench: {escape(content.board.title)}, planned '
        f"{escape(moment(content.planned_at))}</p></header>"
    )


def _contents(sections: Sequence[Section]) -> str:
    items = ['<li><a href="#what-was-run">What was run</a></li>']
    for number, section in enumerate(sections):
        inner = "".join(
            f'<li><a href="#{_anchor(part, number, place)}">{escape(part.title)}</a></li>'
            for place, part in enumerate(section.parts)
        )
        link = f'<a href="#{_anchor(section, number)}">{escape(section.title)}</a>'
        items.append(f"<li>{link}<ul>{inner}</ul></li>")
    items.append('<li><a href="#results">Results of every seed</a></li>')
    return f'<nav aria-label="Contents"><ul>{"".join(items)}</ul></nav>'


def _about(content: Content) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in provenance(content)
    )
    return (
        f'<section class="about" id="what-was-run"><h2>What was run</h2><dl>{rows}</dl></section>'
    )


def _section(number: int, section: Section, bar: tqdm[Any]) -> str:
    shown = []
    for place, part in enumerate(section.parts):
        name = _anchor(part, number, place)
        shown.append(html_table(part, name) if isinstance(part, Table) else _chart(part, name))
        bar.update(isinstance(part, Drawing))
    return (
        f'<section id="{_anchor(section, number)}"><h2>{escape(section.title)}</h2>'
        f"{''.join(shown)}</section>"
    )


def _chart(drawing: Drawing, name: str) -> str:
    try:
        shown = inline_svg(drawing.draw(), name, drawing.alt)
    except Exception as error:  # a chart is never worth the report
        log.warning("%s could not be drawn", drawing.title, exc_info=True)
        reason = f"{type(error).__name__}: {error}"
        shown = f'<p class="failed">This chart could not be drawn: {escape(reason)}</p>'
    return (
        f'<figure id="{name}" class="chart"><h3>{escape(drawing.title)}</h3>'
        f'<div class="card" tabindex="0">{shown}</div>'
        f'<figcaption class="notes"><p>{figures(drawing.caption)}</p></figcaption></figure>'
    )


def _results(results: pd.DataFrame) -> str:
    """Every seed as a CSV in the page, so that the file is complete."""
    text = results[RESULTS].astype({"k": "Int64", "rank": "Int64"}).to_csv(index=False)
    data = base64.b64encode(text.encode()).decode()
    return (
        '<section id="results"><h2>Results of every seed</h2>'
        f"<p>{counted(len(results), 'row')}, one a training and refiner, accuracies as shares: "
        f'<a download="results.csv" href="data:text/csv;charset=utf-8;base64,{data}">results.csv'
        f"</a> ({len(text.encode()) // 1024 + 1:,} KB, inside this file). Columns: "
        f"{escape(', '.join(RESULTS))}.</p></section>"
    )


def _anchor(part: Section | Table | Drawing, *place: int) -> str:
    """Unique by its place, readable by its title."""
    return "-".join([slug(part.title).lower() or "part", *map(str, place)])
