"""Tables on a terminal: as wide as it is, in as many pieces as that takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.report.tables import Table

PADDING = 3
"""Columns of the terminal between two columns of a table."""

PROSE = 24
"""Columns of the terminal for text of any length."""


def to_terminal(tables: Sequence[Table], console: Console) -> None:
    """Print tables; harm is red and gain green where a column holds signed points."""
    for table in tables:
        for number, columns in enumerate(pieces(table, console.width)):
            title = f"{table.title}, continued" if number else table.title
            console.print(_piece(table, columns, title))
        for note in table.notes:
            console.print(Text(note, style="dim"))
        for command in table.commands:
            console.print(Text(f"  {command}"), soft_wrap=True)
        console.print()


def pieces(table: Table, width: int) -> list[list[int]]:
    """Columns of the pieces that a table is cut into; each begins with the names of its rows."""
    wide = [_width(table, column) for column in range(len(table.columns))]
    every = list(range(len(wide)))
    if sum(wide) <= width:
        return [every]
    keys = _keys(table)
    least = sum(wide[key] for key in keys)
    found: list[list[int]] = [[]]
    used = 0
    for column in every:
        if found[-1] and used + wide[column] > width and least < width // 2:
            found.append(list(keys))
            used = least
        if column not in found[-1]:
            found[-1].append(column)
            used += wide[column]
    return found


def _keys(table: Table) -> list[int]:
    """The columns that name a row: the method, else the words that it begins with."""
    if "method" in table.columns:
        return [table.columns.index("method")]
    words = [table.is_text(column) for column in range(len(table.columns))]
    return list(range(max(1, words.index(False) if False in words else 1)))


def _width(table: Table, column: int) -> int:
    """What a column takes; text of any length wraps."""
    cells = [
        len(row[column]) + len(table.marks.get((number, column), ""))
        for number, row in enumerate(table.rows)
    ]
    full = max([len(table.columns[column]), *cells]) + PADDING
    return min(full, PROSE) if table.columns[column] in table.prose else full


def _piece(table: Table, columns: Sequence[int], title: str) -> RichTable:
    shown = RichTable(
        title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    for position, column in enumerate(columns):
        shown.add_column(
            Text(table.columns[column]),
            justify="left" if table.is_text(column) else "right",
            no_wrap=position < 2,
        )
    for number in range(len(table.rows)):
        shown.add_row(*_cells(table, number, columns))
    return shown


def _cells(table: Table, row: int, columns: Sequence[int]) -> Iterator[Text]:
    for column in columns:
        cell = table.rows[row][column]
        style = "bold" if (row, column) in table.best else ""
        if cell.startswith("+"):
            style = "green"
        elif cell.startswith("-"):
            style = "red"
        yield Text(cell + table.marks.get((row, column), ""), style=style)
