"""A table as HTML: best in bold, gain and harm coloured and signed, headings explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from bench.report.meanings import MEANINGS
from bench.report.tables import Table

SIGNED = re.compile(r"[+-]\d[\d.]*( \(.*\))?$")
"""A figure with a sign, and no interval."""

NEGATIVE = re.compile(r"(?<![\w.)-])-(?=\d)")
LONG = 30
"""A table with more rows than this scrolls on a screen, under its headings."""

EMPTY = frozenset({"missing", "left out", "–"})


def html_table(table: Table, name: str) -> str:
    """The table in a frame that scrolls, with its notes under it; ``name`` is its anchor."""
    headings = "".join(_headings(table))
    rows = "\n".join(
        f"<tr>{''.join(_cells(table, number))}</tr>" for number in range(len(table.rows))
    )
    notes = "".join(f"<p>{figures(note)}</p>" for note in table.notes)
    commands = "".join(f"<pre><code>{escape(command)}</code></pre>" for command in table.commands)
    return (
        f'<figure id="{escape(name)}" class="table{" long" if len(table.rows) > LONG else ""}">'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}">'
        f"<table><caption>{escape(table.title)}</caption>"
        f"<thead><tr>{headings}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
        f'<figcaption class="notes">{notes}{commands}</figcaption></figure>'
    )


def figures(text: str) -> str:
    """Text, escaped, with minus signs that are not hyphens."""
    return escape(NEGATIVE.sub("−", text))


def _headings(table: Table) -> Iterator[str]:
    for column, heading in enumerate(table.columns):
        meaning = MEANINGS.get(heading, "")
        title = f' title="{escape(meaning)}"' if meaning else ""
        kind = _kind(table, column)
        yield f'<th scope="col"{_class(kind)}{title}>{escape(heading)}</th>'


def _cells(table: Table, row: int) -> Iterator[str]:
    key = table.columns.index("method") if "method" in table.columns else 0
    for column, cell in enumerate(table.rows[row]):
        kinds = _kind(table, column)
        if SIGNED.match(cell):
            kinds += " gain" if cell.startswith("+") else " harm"
        if cell in EMPTY:
            kinds += " none"
        is_code = table.columns[column] == "command"
        text = f"<code>{escape(cell)}</code>" if is_code else figures(cell)
        if (row, column) in table.best:
            text = f"<strong>{text}</strong>"
        mark = table.marks.get((row, column), "")
        if mark:
            text += f"<sup>{escape(mark)}</sup>"
        if column == key:
            yield f'<th scope="row"{_class(kinds)}>{text}</th>'
        else:
            yield f"<td{_class(kinds)}>{text}</td>"


def _kind(table: Table, column: int) -> str:
    if table.columns[column] in table.prose:
        return "prose"
    return "" if table.is_text(column) else "figure"


def _class(kinds: str) -> str:
    return f' class="{kinds.strip()}"' if kinds.strip() else ""
