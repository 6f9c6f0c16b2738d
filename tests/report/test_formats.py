"""Tables as LaTeX, Markdown, CSV and on a terminal."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tiny_board import HOSTILE

from bench.report.content import Content
from bench.report.gain_tables import gains_by_method_table, gains_table
from bench.report.latex import escaped, to_latex
from bench.report.render import to_csv, to_markdown
from bench.report.suite import PAPER, SCREEN, SCRIPT, sections, tables_of
from bench.report.tables import Table, stars
from bench.report.terminal import pieces, to_terminal
from bench.stats.gains import by_method, overall

Read = Callable[[Path], Content]

TABLE = Table(
    "A table",
    ("method", "gain", "95 % interval"),
    (("a_b", "-1.25", "-2.00 … -0.50"), ("c", "+0.50", "0 … +1.00")),
    ("Minus is harm: -1.25 is p < 0.05.",),
    best=frozenset({(1, 1)}),
    marks={(0, 1): "**", (1, 0): "†"},
    commands=("python -m bench run x_y",),
)


def tables(content: Content, reader: str) -> list[Table]:
    return tables_of(sections(content, "off", "all", reader))


def named(found: list[Table], title: str) -> Table:
    (table,) = [table for table in found if table.title == title]
    return table


def test_latex_has_booktabs_bold_and_superscripts() -> None:
    text = to_latex([TABLE])
    assert text.startswith("% Needs \\usepackage{booktabs}")
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    assert r"a\_b & $-$1.25$^{**}$ & $-$2.00 \ldots{} $-$0.50 \\" in text
    assert r"c$^{\dagger}$ & \textbf{+0.50} & 0 \ldots{} +1.00 \\" in text
    assert r"p $<$ 0.05" in text
    assert r"\texttt{python -m bench run x\_y}" in text
    assert r"\begin{tabular}{lrr}" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("−0.18", "$-$0.18"),
        ("-0.18", "$-$0.18"),
        ("co-teaching 0.4", "co-teaching 0.4"),
        ("2026-11-26", "2026-11-26"),
        ("χ² ≥ 3 × ±", r"$\chi$$^{2}$ $\geq$ 3 $\times$ $\pm$"),
        ("a\\b~^", r"a\textbackslash{}b\textasciitilde{}\textasciicircum{}"),
    ],
)
def test_signs_are_escaped_for_latex(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_latex_of_a_whole_board_is_balanced(hostile: Path, content_of: Read) -> None:
    text = to_latex(tables(content_of(hostile), PAPER))
    bare = re.sub(r"\\[{}\\]", "", text)
    assert bare.count("{") == bare.count("}")
    for environment in ("table", "tabular"):
        begun = text.count(rf"\begin{{{environment}}}")
        assert begun == text.count(rf"\end{{{environment}}}") > 5
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == text.count(r"\begin{tabular}")
    assert text.isascii() or set(text) - set(map(chr, range(128))) <= set("é’")
    for layout, body in re.findall(
        r"\\begin{tabular}{([^\n]*)}\n\\toprule\n(.*?)\\bottomrule", text, flags=re.DOTALL
    ):
        columns = len(re.sub(r"p{[^}]*}", "p", layout))
        for row in body.replace("\\midrule\n", "").strip().split("\n"):
            assert len(re.findall(r"(?<!\\)&", row)) == columns - 1, row


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on the PATH")
def test_latex_compiles(hostile: Path, content_of: Read, tmp_path: Path) -> None:
    body = to_latex(tables(content_of(hostile), PAPER))
    head = "\\documentclass{article}\\usepackage{booktabs}\\usepackage[T1]{fontenc}"
    (tmp_path / "t.tex").write_text(f"{head}\\begin{{document}}{body}\\end{{document}}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:]


def test_markdown_puts_marks_behind_figures_and_escapes_what_acts() -> None:
    text = to_markdown([TABLE])
    assert "| a_b | -1.25\\*\\* | -2.00 … -0.50 |" in text
    assert "| c† | **+0.50** | 0 … +1.00 |" in text
    assert "p &lt; 0.05" in text
    assert "\n    python -m bench run x_y\n" in text


def test_hostile_names_are_text_in_markdown(hostile: Path, content_of: Read) -> None:
    text = to_markdown(tables(content_of(hostile), PAPER))
    assert "<script>" not in text
    assert "<img" not in text
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in text.splitlines() if row[:1] == "|"]
    blocks = [
        [len(re.findall(r"(?<!\\)\|", row)) for row in part.splitlines() if row[:1] == "|"]
        for part in text.split("### ")
    ]
    assert widths
    assert all(len(set(block)) <= 1 for block in blocks)


def test_csv_holds_plain_figures_and_every_cell(full: Path, content_of: Read) -> None:
    content = content_of(full)
    rows = list(csv.reader(io.StringIO(to_csv(tables(content, SCRIPT)))))
    cells = [row for row in rows if row[0] == "Cells"]
    assert len(cells) == 4 * 8 * 3
    assert cells[0] == [
        *("Cells", "digits", "clean", "ce", "off", "2", "2", "0.799500", "0.793147", "0.805853")
    ]
    assert "†" not in to_csv(tables(content, SCRIPT))
    gains = [row for row in rows if row[0] == "Gain of each refiner over off"]
    assert float(gains[0][2]) == pytest.approx(0.24, abs=0.01)


def test_the_stars_of_gains_are_exactly_where_p_says(full: Path, content_of: Read) -> None:
    results = content_of(full).results
    gained, methods = overall(results), by_method(results)
    table = gains_table(gained)
    assert dict(table.marks) == {
        (row, 1): stars(p) for row, p in enumerate(gained["p"]) if stars(p)
    }
    assert table.marks[0, 1] == "***"
    assert (1, 1) not in table.marks
    one = gains_by_method_table(methods, "lip")
    p_of = methods[methods["refiner"] == "lip"].set_index("method")["p_holm"]
    assert {one.rows[row][0]: mark for (row, _), mark in one.marks.items()} == {
        method: stars(p) for method, p in p_of.items() if stars(p)
    }
    assert len(one.marks) == 4
    assert {column for _, column in one.marks} == {one.columns.index("gain")}


def test_without_six_cells_no_gain_is_starred(full: Path, content_of: Read) -> None:
    results = content_of(full).results
    few = results[(results["method"] == "ce") & (results["noise"] != "clean")]
    few = few[few["noise"].str.startswith("symmetric")]
    table = gains_table(overall(few))
    assert not table.marks
    assert "No p: below 6 cells no such test can reach 0.05, so none is made." in table.notes


def test_a_screen_has_less_than_a_paper_and_a_paper_less_than_a_script(
    full: Path, content_of: Read
) -> None:
    content = content_of(full)
    screen, paper, script = (
        [table.title for table in tables(content, reader)] for reader in (SCREEN, PAPER, SCRIPT)
    )
    assert set(screen) < set(paper) < set(script)
    assert "Gain of psp by method" not in screen
    assert "Gain of psp by method" in paper
    assert "Pairs of methods" not in screen
    assert set(script) - set(paper) == {"Cells"}


def test_a_wide_table_is_cut_into_pieces_that_name_their_rows(full: Path, content_of: Read) -> None:
    table = tables(content_of(full), SCREEN)[0]
    found = pieces(table, 80)
    method = table.columns.index("method")
    assert len(found) > 1
    assert all(method in piece for piece in found)
    shown = {column for piece in found for column in piece}
    assert shown == set(range(len(table.columns)))
    file = io.StringIO()
    to_terminal([table], Console(file=file, width=80))
    text = file.getvalue()
    assert "refiner off, continued" in text
    assert "…" not in text.partition("Test accuracy")[0]
    assert max(map(len, text.splitlines())) <= 80
    assert pieces(table, 500) == [list(range(len(table.columns)))]


def test_names_with_markup_are_text_on_a_terminal() -> None:
    file = io.StringIO()
    table = Table("[red]t[/]", ("method", "[b]x[/b]"), (("[bold]m[/bold]", "1"),))
    to_terminal([table], Console(file=file, width=80))
    for words in ("[red]t[/]", "[b]x[/b]", "[bold]m[/bold]"):
        assert words in file.getvalue()


def test_names_that_are_code_are_escaped_for_latex() -> None:
    text = "".join(escaped(name) for name in HOSTILE)
    assert r"\$d\$" in text
    assert r"a \& b\_\{c\}" in text
    assert not re.search(r"(?<!\\)[&%#_]", text)


def test_without_a_refiner_nothing_is_said_of_gains(full: Path, content_of: Read) -> None:
    content = content_of(full)
    off = content.results[content.results["refiner"] == "off"]
    titles = [table.title for table in tables(replace(content, results=off), PAPER)]
    assert "Pairs of methods" in titles
    assert not [title for title in titles if "ain" in title.partition(" of ")[0]]
