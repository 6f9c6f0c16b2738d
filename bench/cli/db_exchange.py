"""``db export`` and ``db import``: one JSON file a training, named by the hash of its content."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options
from bench.errors import StoreError

if TYPE_CHECKING:
    from bench.store.adopt import Verdict


def export(
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if it is not there.")],
    only: options.Only = None,
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Write every training that was tried as one JSON file, with its labels and environments.

    A file is named by the sha256 of its content, so that the same results are the same files, and
    what is there is not written again. Conflicts stay here; db merge carries them.

    [dim]Examples:[/dim]
      python -m bench db export results
      python -m bench db export results --only method=elr --only seed=0
    """
    from bench.cli.console import terminal
    from bench.store.database import open_reader
    from bench.store.exchange import read_document, tried, write_file

    filters = options.parse_only(only)
    console, written, known, refused = terminal(), 0, 0, 0
    with closing(open_reader(db)) as connection:
        wanted = [(number, spec) for number, spec in tried(connection) if _matches(spec, filters)]
        if not wanted:
            matching = " and matches --only" if only else ""
            raise StoreError(f"{db} has no training that was tried{matching}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder {folder} ({error.strerror})") from None
        for number, spec in wanted:
            try:
                _, is_new = write_file(folder, read_document(connection, number))
            except StoreError as error:
                refused += 1
                console.print(
                    f"refused: {spec.get('key')}: {error}",
                    style="red",
                    markup=False,
                    soft_wrap=True,
                )
                continue
            written += is_new
            known += not is_new
    console.print(
        f"{folder}: {written} files written, {known} were there. Elsewhere: "
        f"python -m bench db import {folder}",
        markup=False,
        soft_wrap=True,
    )
    if refused:
        raise typer.Exit(1)


def import_(
    places: Annotated[
        list[Path],
        typer.Argument(help="Files of db export, or folders of them.", metavar="FOLDER|FILE"),
    ],
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Take in files of db export, each checked whole before anything of it is written.

    A file that was changed, or does not add up, is refused and named; the others are taken. Results
    that differ from ours are kept beside them, as by db merge. The exit status is 1 if a file was
    refused or a result differs. Trainings show on a board when their suite is planned or run here.

    [dim]Example:[/dim] python -m bench db import results --db mine.db
    """
    from bench.cli.console import terminal
    from bench.cli.db_merge import counted, say_conflicts, say_refused
    from bench.store.conflict_list import known, listed
    from bench.store.database import open_writer
    from bench.store.exchange import files_of, read_file
    from bench.store.merge import take_in

    paths = list(files_of(places))
    console = terminal()
    verdicts: Counter[Verdict] = Counter()
    refused: list[tuple[str, str]] = []
    with open_writer(db) as database:
        before = known(database.conn)
        for path in paths:
            try:
                verdicts[take_in(database, read_file(path), path.name)] += 1
            except StoreError as error:
                refused.append((str(path), str(error)))
        found = listed(database.conn, before)
    console.print(
        f"{len(paths)} files into {db}: {counted(verdicts)}", markup=False, soft_wrap=True
    )
    say_conflicts(found, db, console)
    say_refused(refused, console)
    if refused or found:
        raise typer.Exit(1)


def _matches(spec: dict[str, Any], filters: dict[str, set[str]]) -> bool:
    """As ``run --only`` does, from what the database keeps of a specification."""
    noise = spec.get("noise", {})
    values = {
        "method": {spec.get("method"), spec.get("method_label")},
        "dataset": {spec.get("dataset")},
        "noise": {noise.get("name"), noise.get("label")},
        "seed": {str(spec.get("seed"))},
    }
    return all(values[axis] & wanted for axis, wanted in filters.items())
