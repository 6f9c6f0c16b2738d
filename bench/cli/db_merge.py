"""``db merge``: results of several machines in one database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options
from bench.errors import StoreError

if TYPE_CHECKING:
    from collections import Counter

    from rich.console import Console

    from bench.store.adopt import Verdict
    from bench.store.conflict_list import Conflict
    from bench.store.merge import Merged

SHOWN = 20
"""Refusals that are printed; the rest is counted."""


def merge(
    others: Annotated[
        list[Path], typer.Argument(help="Databases to take results from; they stay as they are.")
    ],
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Take the results of other databases into --db; nothing that is there is overwritten.

    Equal results are one, each attempt with its environment. Where the same training has other
    results there, ours counts, theirs are kept beside it, and both are shown. The exit status is 1
    if a result differs or was refused.

    [dim]Example:[/dim] python -m bench db merge from_the_cluster.db --db leaderboard.db
    """
    from bench.cli.console import terminal
    from bench.store.conflict_list import known, listed
    from bench.store.database import open_reader, open_writer
    from bench.store.merge import merge as merge_one

    for other in others:
        if not other.exists():
            raise StoreError(f"there is no database {other}")
        if db.exists() and other.samefile(db):
            raise StoreError(f"{other} is the database that is merged into; name another")
    console, failed = terminal(), False
    with open_writer(db) as database:
        for other in others:
            before = known(database.conn)
            with closing(open_reader(other)) as connection:
                merged = merge_one(database, connection, other.name)
            found = listed(database.conn, before)
            _say(merged, found, other, db, console)
            failed |= bool(found or merged.refused)
    if failed:
        raise typer.Exit(1)


def _say(merged: Merged, found: list[Conflict], other: Path, db: Path, console: Console) -> None:
    console.print(f"{other} into {db}: {counted(merged.verdicts)}", markup=False, soft_wrap=True)
    if merged.new_boards:
        console.print(
            f"  boards that were not here: {merged.new_boards}", markup=False, soft_wrap=True
        )
    if merged.published:
        console.print(
            f"  files of published figures: {merged.published}", markup=False, soft_wrap=True
        )
    for note in merged.notes:
        console.print(f"  {note}", markup=False, soft_wrap=True)
    if merged.off_boards:
        console.print(
            f"  {merged.off_boards} trainings are of another version of a cell that is here; they "
            f"are kept and are on no board",
            markup=False,
            soft_wrap=True,
        )
    say_conflicts(found, db, console)
    say_refused(merged.refused, console)


def counted(verdicts: Counter[Verdict]) -> str:
    """How many trainings ended in each way, in words."""
    if not verdicts:
        return "no training was tried there"
    words = {
        "new": "new",
        "more": "known, with something that was not here",
        "same": "known",
        "conflict": "in conflict",
        "known conflict": "in a conflict that is known",
    }
    parts = [f"{verdicts[verdict]} {word}" for verdict, word in words.items() if verdicts[verdict]]  # type: ignore[index]
    return f"trainings: {', '.join(parts)}"


def say_conflicts(found: list[Conflict], db: Path, console: Console) -> None:
    """The table of what differs, and that both were kept."""
    from bench.cli.db_conflicts import table

    if not found:
        return
    console.print(table(found))
    console.print(
        f"{len(found)} results differ: ours count, theirs are kept beside them. All of them: "
        f"python -m bench db conflicts --db {db}",
        style="red",
        markup=False,
        soft_wrap=True,
    )


def say_refused(refused: list[tuple[str, str]], console: Console) -> None:
    """What was not taken, and why."""
    for what, reason in refused[:SHOWN]:
        console.print(f"refused: {what}: {reason}", style="red", markup=False, soft_wrap=True)
    if len(refused) > SHOWN:
        console.print(
            f"refused: {len(refused) - SHOWN} more", style="red", markup=False, soft_wrap=True
        )
