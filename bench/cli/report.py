"""``report``: a suite's tables for a paper, a page or a script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options
from bench.errors import BenchError, nearest


def report(
    suite: Annotated[str, typer.Argument(help="The suite's name.")],
    budget: options.BudgetName = None,
    form: Annotated[
        str, typer.Option("--format", "-f", help="terminal, md, latex or csv.")
    ] = "terminal",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; default is the terminal.")
    ] = None,
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Print the leaderboard, the labels, the gains and the published figures beside a suite.

    A suite that was run on several budgets or data sets has several boards, which are never mixed:
    without --budget the latest one is taken.

    [dim]Example:[/dim] python -m bench report digits --budget paper --format latex -o table.tex
    """
    from contextlib import closing

    from bench.cli.console import terminal
    from bench.published.board import beside
    from bench.report.noise import labels_table
    from bench.report.published import with_published
    from bench.report.render import FORMATS, to_terminal
    from bench.report.tables import suite_tables
    from bench.store import audit, reader
    from bench.store.database import open_reader

    if form != "terminal" and form not in FORMATS:
        raise BenchError(f"no format {form!r}{nearest(form, ['terminal', *FORMATS])}")
    with closing(open_reader(db)) as connection:
        board = reader.find_board(connection, suite, budget)
        results = reader.results(connection, board.board)
        if not results["test_accuracy"].notna().any():
            raise BenchError(
                f"{suite}, budget {board.budget} has no results in {db} yet; "
                f"python -m bench run {suite} --budget {board.budget} makes some"
            )
        tables = suite_tables(results, reader.methods(connection, board.board), board.title)
        tables.insert(1, labels_table(audit.labels(connection, board.board)))
        tables = with_published(tables, beside(connection, board.board))
    if form == "terminal":
        to_terminal(tables, terminal())
        return
    text = FORMATS[form](tables)
    if output is None:
        typer.echo(text)
    else:
        output.write_text(text, encoding="utf-8")
        typer.echo(f"{output} written ({len(tables)} tables)")
