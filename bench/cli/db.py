"""``db``: care of the results database."""

from __future__ import annotations

from contextlib import closing

import typer

from bench.cli import options
from bench.errors import StoreError

app = typer.Typer(help="Check the results database.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Check the results database."""


@app.command()
def check(db: options.Db = options.DEFAULT_DB) -> None:
    """Check that the file is sound and that what it says adds up.

    [dim]Example:[/dim] python -m bench db check --db mine.db
    """
    from bench.store.check import problems
    from bench.store.database import open_reader

    with closing(open_reader(db)) as connection:
        found = problems(connection)
        (trainings,) = connection.execute(
            "SELECT count(*) FROM training_status WHERE status = 'done'"
        ).fetchone()
    if found:
        raise StoreError("\n  ".join([f"{db} has {len(found)} problems:", *found]))
    typer.echo(f"{db}: sound, {trainings} trainings done")
