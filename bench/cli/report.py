"""``report``: a suite's tables and charts for a terminal, a page, a paper or a script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options
from bench.errors import BenchError, nearest

if TYPE_CHECKING:
    from bench.report.content import Content

TERMINAL, HTML = "terminal", "html"

ENDINGS = {".html": HTML, ".htm": HTML, ".md": "md", ".tex": "latex", ".csv": "csv"}
"""Of output files, and the formats that they mean."""


def report(
    suite: Annotated[str, typer.Argument(help="The suite's name.")],
    budget: options.BudgetName = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="terminal, html, md, latex or csv; default is what the name of --output says.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A file; default is the terminal, and for html report-SUITE-BUDGET.html here.",
        ),
    ] = None,
    holes: Annotated[
        str,
        typer.Option(
            "--holes",
            help="all: every column counts, a method that lacks one is not ranked; "
            "common: rank over the columns that every method has. Nothing is ever filled in.",
        ),
    ] = "all",
    refiner: Annotated[
        str,
        typer.Option("--refiner", help="Rank methods under this refiner; gains are over off."),
    ] = "off",
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Show a suite: ranking, tests, gains of every refiner, labels, what lacks, published figures.

    html is one file with all tables and charts, which needs no network: to attach to a paper. md
    and latex (booktabs) have the tables of a paper: best in bold, significance marked. csv has
    all of them and every cell, one table after the other with its title in the first column. The
    terminal shows the gist.

    A suite that was run on several budgets or data sets has several boards, which are never mixed:
    without --budget the latest one is taken.

    [dim]Examples:[/dim]
      python -m bench report digits
      python -m bench report digits --budget paper --format html
      python -m bench report digits --format latex -o tables.tex
      python -m bench report zoo --holes common --refiner lip
    """
    from bench.cli.console import terminal
    from bench.report.standing import HOLES

    form = _format(form, output)
    if holes not in HOLES:
        raise BenchError(f"--holes has no {holes!r}{nearest(holes, HOLES)}")
    content = _read(suite, budget, refiner, db)

    from bench.report import suite as made
    from bench.report.html import to_html
    from bench.report.render import FORMATS
    from bench.report.structure_files import slug
    from bench.report.terminal import to_terminal

    reader = {TERMINAL: made.SCREEN, HTML: made.PAGE, "csv": made.SCRIPT}.get(form, made.PAPER)
    sections = made.sections(content, refiner, holes, reader)
    tables = made.tables_of(sections)
    if form == TERMINAL:
        to_terminal(tables, terminal())
    elif form == HTML:
        name = f"{slug('report', content.board.suite, content.board.budget)}.html"
        _write(output or Path(name), to_html(content, sections), "open it in a browser")
    elif output is None:
        typer.echo(FORMATS[form](tables))
    else:
        _write(output, FORMATS[form](tables), f"{len(tables)} tables")


def _format(asked: str | None, output: Path | None) -> str:
    from bench.report.render import FORMATS

    known = (TERMINAL, HTML, *FORMATS)
    if asked is not None:
        if asked not in known:
            raise BenchError(f"no format {asked!r}{nearest(asked, known)}")
        if asked == TERMINAL and output is not None:
            raise BenchError(f"format terminal is for the terminal; for {output} take -f md")
        return asked
    if output is None:
        return TERMINAL
    if output.suffix.lower() not in ENDINGS:
        raise BenchError(f"{output}: which format? Add -f html, md, latex or csv")
    return ENDINGS[output.suffix.lower()]


def _read(suite: str, budget: str | None, refiner: str, db: Path) -> Content:
    from contextlib import closing

    from bench.report import content
    from bench.store import reader
    from bench.store.database import open_reader

    with closing(open_reader(db)) as connection:
        board = reader.find_board(connection, suite, budget)
        found = content.read(connection, board, db)
    if not found.refiners:
        again = f"python -m bench run {suite} --budget {board.budget}".removesuffix(" --budget ")
        raise BenchError(
            f"{suite}, budget {board.budget} has no results in {db} yet; {again} makes some"
        )
    if refiner not in found.refiners:
        raise BenchError(
            f"no result of {suite} is under refiner {refiner!r}{nearest(refiner, found.refiners)}"
        )
    return found


def _write(path: Path, text: str, said: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{path} cannot be written: {error.strerror}") from None
    typer.echo(f"{path} written ({said})")
