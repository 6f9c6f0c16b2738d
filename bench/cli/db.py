"""``db``: care of the results database."""

from __future__ import annotations

from contextlib import closing

import typer

from bench.cli import db_conflicts, db_exchange, db_merge, options
from bench.errors import StoreError

HELP = "Check, merge, export and import the results database."

app = typer.Typer(help=HELP, no_args_is_help=True)
app.command("merge")(db_merge.merge)
app.command("export")(db_exchange.export)
app.command("import")(db_exchange.import_)
app.command("conflicts")(db_conflicts.conflicts)


@app.callback(help=HELP)
def group() -> None:
    """Check, merge, export and import the results database."""


@app.command()
def check(db: options.Db = options.DEFAULT_DB) -> None:
    """Check that the file is sound and that what it says adds up.

    [dim]Example:[/dim] python -m bench db check --db mine.db
    """
    from bench.store import conflicts
    from bench.store.check import problems
    from bench.store.database import open_reader

    with closing(open_reader(db)) as connection:
        found = problems(connection)
        (trainings,) = connection.execute(
            "SELECT count(*) FROM training_status WHERE status = 'done'"
        ).fetchone()
        kept = conflicts.count(connection)
    if found:
        raise StoreError("\n  ".join([f"{db} has {len(found)} problems:", *found]))
    typer.echo(f"{db}: sound, {trainings} trainings done")
    if kept:
        noun = "result of another machine differs" if kept == 1 else "results of others differ"
        typer.echo(f"{kept} {noun} from what counts here: python -m bench db conflicts --db {db}")
