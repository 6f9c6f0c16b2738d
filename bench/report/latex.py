r"""Tables for a paper: LaTeX with booktabs, best in bold, significance as superscripts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.report.structure_files import slug
from bench.report.tables import Table

HEAD = r"""% Needs \usepackage{booktabs} in the preamble.
"""

SIGNS = {
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
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    '"': "''",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "∞": r"$\infty$",
    "χ": r"$\chi$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "φ": r"$\varphi$",
    "θ": r"$\theta$",
    "τ": r"$\tau$",
    "→": r"$\rightarrow$",
    "α": r"$\alpha$",
    "²": "$^{2}$",
    "†": r"$^{\dagger}$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "\n": " ",
}

NEGATIVE = re.compile(r"(?<![\w.)-])-(?=\d)")
"""A hyphen that is a sign: in text LaTeX would set it as a hyphen."""

DENSE = 7
"""Tables with more columns than this are set in small type."""


def to_latex(tables: Sequence[Table]) -> str:
    """One booktabs table each."""
    return "\n".join([HEAD, *map(_table, tables)])


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is, with its minus signs."""
    signed = NEGATIVE.sub("−", text)
    return "".join(SIGNS.get(character, character) for character in signed)


def _table(table: Table) -> str:
    layout = "".join(
        r"p{0.15\linewidth}" if name in table.prose else "l" if table.is_text(column) else "r"
        for column, name in enumerate(table.columns)
    )
    lines = [
        r"\begin{table}",
        r"\centering",
        *([r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"] * (len(table.columns) > DENSE)),
        rf"\caption{{{escaped(table.title)}{'' if table.title.endswith('?') else '.'}}}",
        rf"\label{{tab:{slug(table.title).lower()}}}",
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        " & ".join(map(escaped, table.columns)) + r" \\",
        r"\midrule",
        *(_row(table, number) for number in range(len(table.rows))),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if table.notes or table.commands:
        said = [escaped(" ".join(table.notes))] if table.notes else []
        said += [rf"\texttt{{{escaped(command)}}}" for command in table.commands]
        text = r"\\".join(said)
        lines += ["", r"\smallskip", rf"\parbox{{\linewidth}}{{\footnotesize {text}}}"]
    return "\n".join([*lines, r"\end{table}", ""])


def _row(table: Table, number: int) -> str:
    cells = []
    for column, cell in enumerate(table.rows[number]):
        text = escaped(cell)
        if (number, column) in table.best:
            text = rf"\textbf{{{text}}}"
        mark = table.marks.get((number, column), "")
        cells.append(text + (f"$^{{{mark.replace('†', chr(92) + 'dagger')}}}$" if mark else ""))
    return " & ".join(cells) + r" \\"
