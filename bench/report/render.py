"""Tables as Markdown and CSV, and the names of all formats."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Sequence

from bench.report.latex import to_latex
from bench.report.tables import Table

ACTIVE = re.compile(r"[\\`*\[\]|$~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What GitHub's Markdown acts on, inside a cell or a sentence."""


def to_markdown(tables: Sequence[Table]) -> str:
    """GitHub Markdown, best cells in bold, marks behind their figures."""
    return "\n".join(map(_markdown_table, tables))


def _markdown_table(table: Table) -> str:
    rules = ("---" if table.is_text(column) else "--:" for column in range(len(table.columns)))
    lines = [
        f"### {_markdown(table.title)}",
        "",
        "| " + " | ".join(map(_markdown, table.columns)) + " |",
        "|" + "|".join(rules) + "|",
    ]
    for number, row in enumerate(table.rows):
        cells = []
        for column, cell in enumerate(row):
            text = _markdown(cell)
            if (number, column) in table.best:
                text = f"**{text}**"
            cells.append(text + _markdown(table.marks.get((number, column), "")))
        lines.append("| " + " | ".join(cells) + " |")
    notes = [_markdown(note) for note in table.notes]
    commands = [f"    {command}" for command in table.commands]
    return "\n".join(["", *lines, "", *notes, *(["", *commands] if commands else []), ""]).lstrip()


def _markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return " ".join(ACTIVE.sub(r"\\\g<0>", html.escape(text, quote=False)).split())


def to_csv(tables: Sequence[Table]) -> str:
    """Each table as CSV with its title in a column of its own, one after the other.

    Marks are left out: they follow from the p-values, and a figure stays a number.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for table in tables:
        writer.writerow(["table", *table.columns])
        writer.writerows([table.title, *row] for row in table.rows)
    return buffer.getvalue()


FORMATS: dict[str, Callable[[Sequence[Table]], str]] = {
    "md": to_markdown,
    "latex": to_latex,
    "csv": to_csv,
}
"""Formats that are text of tables alone, by name."""
