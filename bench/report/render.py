"""Tables as terminal output, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.report.tables import Table


def to_terminal(tables: Sequence[Table], console: Console) -> None:
    """Print tables; harm is red and gain green where a column holds signed points."""
    for table in tables:
        shown = RichTable(
            title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
        )
        for position, column in enumerate(table.columns):
            text_column = column in ("method", "refiner", "told / uses", *table.prose)
            shown.add_column(
                column, justify="left" if text_column else "right", no_wrap=position < 2
            )
        for number, row in enumerate(table.rows):
            shown.add_row(*(_styled(cell, (number, i) in table.best) for i, cell in enumerate(row)))
        console.print(shown)
        for note in table.notes:
            console.print(Text(note, style="dim"))
        console.print()


def _styled(cell: str, best: bool) -> Text:
    style = "bold" if best else ""
    if cell.startswith("+"):
        style = "green"
    elif cell.startswith("-"):
        style = "red"
    return Text(cell, style=style)


def to_markdown(tables: Sequence[Table]) -> str:
    """GitHub Markdown, best cells in bold."""
    parts = []
    for table in tables:
        lines = [f"### {table.title}", ""]
        lines.append("| " + " | ".join(map(_markdown, table.columns)) + " |")
        lines.append("|" + "|".join("---" for _ in table.columns) + "|")
        for number, row in enumerate(table.rows):
            cells = [
                f"**{_markdown(cell)}**" if (number, i) in table.best else _markdown(cell)
                for i, cell in enumerate(row)
            ]
            lines.append("| " + " | ".join(cells) + " |")
        lines += ["", *table.notes, ""]
        parts.append("\n".join(lines))
    return "\n".join(parts)


def _markdown(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    "…": r"\ldots{}",
}


def to_latex(tables: Sequence[Table]) -> str:
    """One booktabs table each, best cells in bold."""
    parts = []
    for table in tables:
        first = 2 if table.columns[0] == "rank" else 1
        layout = "l" * first + "".join(
            r"p{0.15\linewidth}" if column in table.prose else "r"
            for column in table.columns[first:]
        )
        lines = [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{layout}}}", r"\toprule"]
        lines.append(" & ".join(map(_latex, table.columns)) + r" \\")
        lines.append(r"\midrule")
        for number, row in enumerate(table.rows):
            cells = [
                rf"\textbf{{{_latex(cell)}}}" if (number, i) in table.best else _latex(cell)
                for i, cell in enumerate(row)
            ]
            lines.append(" & ".join(cells) + r" \\")
        caption = _latex(" ".join([f"{table.title}.", *table.notes]))
        lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{caption}}}", r"\end{table}", ""]
        parts.append("\n".join(lines))
    return "\n".join(parts)


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


def to_csv(tables: Sequence[Table]) -> str:
    """Each table as CSV with its title in a column of its own, one after the other."""
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
"""Formats of ``report``, by name."""
