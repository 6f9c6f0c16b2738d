"""``analyse``: what wrong labels do to the singular structure of trained heads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options
from bench.errors import BenchError, nearest

FORMATS = ("png", "svg", "csv")


def analyse(
    suite: Annotated[str, typer.Argument(help="The suite's name.")],
    budget: options.BudgetName = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A folder for charts and frames; default is none."),
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help="png, svg, csv; may be repeated. Default is all."),
    ] = None,
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Compare trained heads with their twins on true labels: spectra, subspaces, angles.

    A twin has the same data, method and seed, so that the suite needs the noise clean. The suites
    analysis (digits, five minutes) and paper-analysis (ResNet-34 on CIFAR-100) are made for this.
    With --output every chart is written as png and svg, and the numbers behind it as csv.

    [dim]Example:[/dim] python -m bench analyse analysis --output figures
    """
    from contextlib import closing

    from bench.cli.console import terminal
    from bench.report.structure import structure_tables
    from bench.report.structure_files import write_all
    from bench.report.terminal import to_terminal
    from bench.store import reader, structure
    from bench.store.database import open_reader

    chosen = tuple(form or FORMATS)
    for name in chosen:
        if name not in FORMATS:
            raise BenchError(f"no format {name!r}{nearest(name, FORMATS)}")
    with closing(open_reader(db)) as connection:
        board = reader.find_board(connection, suite, budget)
        heads = structure.heads(connection, board.board)
        older = structure.without_vectors(connection, board.board)
    again = f"python -m bench run {suite}" + (f" --budget {board.budget}" if board.budget else "")
    if heads.empty:
        reason = (
            f"its {older} heads were trained before singular vectors were kept; "
            f"{again} --redo all trains them again"
            if older
            else f"no training of it is done; {again} makes some"
        )
        raise BenchError(f"{board.title}: there is nothing to analyse in {db}: {reason}")
    tables = structure_tables(heads)
    if not tables:
        raise BenchError(
            f"{board.title}: no head has a twin on true labels; add clean to the suite's noises"
        )
    console = terminal()
    to_terminal(tables, console)
    if older:
        console.print(f"{older} heads are left out: they are older than their vectors.")
    if output is not None:
        written = write_all(heads, output, chosen)
        console.print(f"{len(written)} files written to {output}", markup=False, soft_wrap=True)
    else:
        console.print("Charts and numbers: --output FOLDER; or: python -m bench dashboard")
