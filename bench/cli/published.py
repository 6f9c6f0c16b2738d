"""``published``: figures of papers, to stand beside ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options
from bench.errors import DataError, nearest

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    help="Figures of papers, to stand beside ours.", no_args_is_help=True, rich_markup_mode="rich"
)

MOST = 60
"""Rows that are printed; more are counted."""

FILTERS = {"method": "method_name", "dataset": "dataset_name", "noise": "noise_name"}
"""What a filter looks at beside the published word: our name for it."""


@app.command("import")
def import_(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A CSV file; default are the shipped.")
    ] = None,
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Import published figures, all or nothing: every problem is told with its line.

    Columns: method, dataset, noise, rate, backbone, epochs, reported, accuracy, std (both in %),
    source, verified ('verified in SOURCE', or 'recalled, unverified', which is kept and flagged).
    Names are those of the source; LIPBench's own work too.

    The rows of a file replace those that a file of the same name gave before; the same file again
    changes nothing. A run gives the shipped figures to a database that has none.

    [dim]Examples:[/dim]
      python -m bench published import
      python -m bench published import my_tables.csv --db mine.db
    """
    from bench.cli.console import terminal
    from bench.published.importing import SHIPPED, import_file
    from bench.store.database import open_writer

    for path in SHIPPED if file is None else (file,):
        with open_writer(db) as database:
            figures, done = import_file(database, path)
        flagged = sum(not figure.verified for figure in figures)
        changed = f"{done.added:,} added, {done.removed:,} removed, {done.kept:,} as before"
        if not (done.added or done.removed):
            changed = "nothing changed"
        terminal().print(
            f"{db}: {len(figures):,} published figures of {path.name}, {flagged:,} flagged as "
            f"unverified; {changed}",
            markup=False,
            soft_wrap=True,
        )


@app.command("list")
def list_(
    method: Annotated[
        str | None, typer.Option("--method", help="As published or as here: ELR+ or elr-plus.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="As published or as here: CIFAR-10 or cifar10.")
    ] = None,
    noise: Annotated[
        str | None, typer.Option("--noise", help="A code or its kind: sym-incl or symmetric.")
    ] = None,
    db: options.Db = options.DEFAULT_DB,
    as_json: options.AsJson = False,
) -> None:
    """List published figures with their protocols and sources; a * marks one that is unverified.

    They come from the database or, where it has none yet, from the shipped files.

    [dim]Examples:[/dim]
      python -m bench published list --method elr --dataset cifar10
      python -m bench published list --noise sym-excl --json
    """
    from bench.cli.console import terminal
    from bench.published import aliases
    from bench.published.translate import translate

    found = translate(_figures(db), aliases.load())
    for column, wanted in {"method": method, "dataset": dataset, "noise": noise}.items():
        if wanted is not None:
            found = _only(found, column, wanted)
    if as_json:
        typer.echo(_json(found))
        return
    console = terminal()
    console.print(_table(found.head(MOST)))
    flagged = int((~found["verified"]).sum())
    more = f"; the first {MOST} are shown, --json gives all" if len(found) > MOST else ""
    console.print(f"{len(found):,} figures, {flagged:,} unverified (*){more}", style="dim")


def _figures(db: Path) -> pd.DataFrame:
    """Figures of a database, or the shipped ones where it has none."""
    from bench.published import aliases
    from bench.published.figures import read_figures
    from bench.published.importing import SHIPPED
    from bench.store.database import peek
    from bench.store.published import as_frame, figures, is_empty

    with peek(db) as connection:
        if not is_empty(connection):
            return figures(connection)
    return as_frame([f for path in SHIPPED for f in read_figures(path, aliases.load())])


def _only(found: pd.DataFrame, column: str, wanted: str) -> pd.DataFrame:
    """Rows whose published word or whose name here is ``wanted``, in any case of letters."""
    names = [found[column].str.casefold(), found[FILTERS[column]].str.casefold()]
    kept = found[(names[0] == wanted.casefold()) | (names[1] == wanted.casefold())]
    if kept.empty:
        valid = {*found[column], *found[FILTERS[column]]} - {""}
        raise DataError(f"no published figure has {column} {wanted!r}{nearest(wanted, valid)}")
    return kept


def _json(found: pd.DataFrame) -> str:
    from bench.store.published import FIELDS

    rows = found[["figure", *FIELDS]].astype(object).where(found[["figure", *FIELDS]].notna(), None)
    return json.dumps(rows.to_dict("records"), indent=1)


def _table(found: pd.DataFrame) -> Any:
    from rich.table import Table
    from rich.text import Text

    columns = ("method", "data set", "noise", "rate", "accuracy", "backbone", "epochs")
    table = Table(*columns, "reported", "source")
    for row in found.to_dict("records"):
        spread = "" if row["std"] != row["std"] else f" ± {row['std']:.2f}"
        flag = "" if row["verified"] else " *"
        cells = (
            *(row[name] for name in ("method", "dataset", "noise", "rate")),
            f"{row['accuracy']:.2f}{spread}{flag}",
            *(row[name] for name in ("backbone", "epochs", "reported", "source")),
        )
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table
