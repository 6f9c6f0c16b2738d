"""``db conflicts``: results of other machines that differ from ours."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from bench.cli import options

if TYPE_CHECKING:
    from rich.table import Table

    from bench.store.conflict_list import Conflict


def conflicts(db: options.Db = options.DEFAULT_DB, as_json: options.AsJson = False) -> None:
    """List the trainings of which another machine had other results; ours are the ones that count.

    Both stay, each with its attempts and environments: those of the others with --json. To find
    out which is right, run the training once more with the command that show prints.

    [dim]Example:[/dim] python -m bench db conflicts --db mine.db
    """
    from bench.cli.console import terminal
    from bench.store.conflict_list import listed
    from bench.store.database import open_reader

    with closing(open_reader(db)) as connection:
        found = listed(connection)
    if as_json:
        typer.echo(json.dumps([conflict.to_json() for conflict in found], indent=1))
        return
    console = terminal()
    if not found:
        console.print(f"{db} keeps no conflict.", markup=False, soft_wrap=True)
        return
    console.print(table(found))
    console.print(
        f"One of them: python -m bench show <key> --db {db}",
        style="dim",
        markup=False,
        soft_wrap=True,
    )


def table(found: list[Conflict]) -> Table:
    """A row a conflict: where, both accuracies in percent, both environments."""
    from rich.table import Table
    from rich.text import Text

    columns = ("data set", "noise", "method", "seed", "of", "ours", "theirs", "differs")
    rows = Table(*columns, "our environment", "their environment", "from", "key")
    for conflict in found:
        cells = (
            *(conflict.dataset, conflict.noise, conflict.method, conflict.seed, conflict.of),
            *map(_percent, (conflict.ours, conflict.theirs)),
            *(", ".join(conflict.parts), conflict.our_environment, conflict.their_environment),
            *(conflict.origin, conflict.training_key[:12]),
        )
        rows.add_row(*(Text(str(cell)) for cell in cells))
    return rows


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.3f}"
