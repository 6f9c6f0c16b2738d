"""Merging another database into ours: every training as a record, then what frames them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from sqlite_utils import Database

from bench.errors import BenchError, StoreError
from bench.identity import canonical
from bench.store import conflicts, published
from bench.store.adopt import Verdict, add_described, adopt, keep_conflict
from bench.store.documents import check_artefact, check_form, check_record, printable
from bench.store.exchange import ARTEFACT, DATASET, EXAMPLE, PLUGIN, read_record, rows
from bench.store.forms import DatasetForm, ExampleForm, FigureForm, PluginForm
from bench.store.merge_boards import merge_boards
from bench.store.schema import migrations


@dataclass
class Merged:
    """What a merge or an import came to.

    Attributes:
        verdicts: how many trainings ended in each way.
        refused: what was not taken, and why.
        new_boards: boards that were not here.
        off_boards: trainings that were taken and are on no board, because ours has another
            version of their cell.
        published: files of published figures that were added.
        notes: sentences on what stayed as it was.
    """

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    refused: list[tuple[str, str]] = field(default_factory=list)
    new_boards: int = 0
    off_boards: int = 0
    published: int = 0
    notes: list[str] = field(default_factory=list)


def merge(db: Database, other: sqlite3.Connection, origin: str) -> Merged:
    """Take in all of another database, in one transaction.

    What is here stays; what differs is kept beside it; what does not add up is refused and named.

    Args:
        db: the writer's database.
        other: a reader of the other one, as of this version.
        origin: the other's name, for conflicts.

    Raises:
        StoreError: the other is no database of ours; nothing was changed.
    """
    other.execute("PRAGMA trusted_schema = OFF")
    # Bytes that are no text become half characters, which are refused where they stand.
    other.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    origin = printable(origin)
    _check_tables(other)
    merged = Merged()
    with db.atomic():
        _descriptions(db, other, merged)
        for key, training_id in _trainings(other):
            with _refusing(merged, f"training {key[:16]}"):
                verdict = _adopt_one(db, other, training_id, origin)
                if verdict is not None:
                    merged.verdicts[verdict] += 1
        with _refusing(merged, "kept conflicts"):
            _conflicts(db, other, merged)
        with _refusing(merged, "boards"), db.atomic():
            merged.new_boards, merged.off_boards = merge_boards(db, other)
        _published(db, other, merged)
        _examples(db, other, merged)
    return merged


def take_in(db: Database, document: dict[str, Any], origin: str) -> Verdict:
    """Take in one document that was checked, in one transaction.

    Raises:
        StoreError: its labels are known here as those of another data set.
    """
    with db.atomic():
        add_described(db, "datasets", document["dataset"])
        add_described(db, "artefacts", document["artefact"])
        for plugin in document["plugins"]:
            add_described(db, "plugins", plugin)
        return adopt(db, document["training"], origin)


def _trainings(other: sqlite3.Connection) -> list[tuple[str, int]]:
    found = other.execute("SELECT training_key, id FROM trainings ORDER BY id")
    return [(str(row[0]), int(row[1])) for row in found]


def _adopt_one(
    db: Database, other: sqlite3.Connection, training_id: int, origin: str
) -> Verdict | None:
    """Take in one training; None for one that was planned and never tried."""
    record = read_record(other, training_id)
    check_record(record)
    verdict = adopt(db, record, origin)
    return verdict if record["attempts"] else None


DAMAGE = (BenchError, ValueError, TypeError, KeyError, RecursionError, sqlite3.IntegrityError)
"""What reading a database that is not ours to trust may raise."""


@contextmanager
def _refusing(merged: Merged, what: str) -> Iterator[None]:
    """What is refused inside is named, and the rest goes on."""
    try:
        yield
    except DAMAGE as error:
        reason = str(error) if isinstance(error, BenchError) else f"damaged ({error})"
        merged.refused.append((printable(what), printable(reason, 400)))


def _check_tables(other: sqlite3.Connection) -> None:
    """That every table is a table with the columns that ours has."""
    ours = Database(memory=True)
    migrations.apply(ours)
    query = """
      SELECT l.name, c.name FROM pragma_table_list l JOIN pragma_table_xinfo(l.name) c
      WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite%' AND c.hidden = 0
    """
    missing = {tuple(row) for row in ours.execute(query)} - {
        tuple(row) for row in other.execute(query)
    }
    ours.close()
    if missing:
        raise StoreError(
            "the other database lacks {}.{}; it is not of LIPBench".format(*min(missing))
        )


def _descriptions(db: Database, other: sqlite3.Connection, merged: Merged) -> None:
    kinds: list[tuple[str, tuple[str, ...], Callable[[Any], None]]] = [
        ("datasets", DATASET, partial(check_form, DatasetForm)),
        ("artefacts", ARTEFACT, lambda row: check_artefact(row, _dataset_of(other, row))),
        ("plugins", PLUGIN, partial(check_form, PluginForm)),
    ]
    for table, columns, check in kinds:
        key = columns[0] if table != "plugins" else "kind, name, source_sha"
        for values in other.execute(f"SELECT {key} FROM {table} ORDER BY {key}"):  # noqa: S608
            where = " AND ".join(f"{name} = ?" for name in key.split(", "))
            with _refusing(merged, f"{table[:-1]} {str(values[-1])[:16]}"):
                (row,) = rows(other, columns, f"{table} WHERE {where}", *values)
                check(row)
                add_described(db, table, row)


def _dataset_of(other: sqlite3.Connection, artefact: dict[str, Any]) -> dict[str, Any] | None:
    where = "datasets WHERE fingerprint = ?"
    found = rows(other, DATASET, where, artefact["fingerprint"])
    return found[0] if found else None


def _conflicts(db: Database, other: sqlite3.Connection, merged: Merged) -> None:
    """Conflicts that the other side kept, where they differ from ours too."""
    query = """
      SELECT t.training_key, c.origin, c.found_at, c.record
      FROM conflicts c JOIN trainings t ON t.id = c.training_id ORDER BY c.conflict
    """
    for key, origin, found_at, blob in other.execute(query).fetchall():
        record = conflicts.record_of(blob)
        check_record(record)
        if record["spec"]["key"] != key:
            raise StoreError("a kept conflict is of another training")
        training_id, ours = _ours(db, key)
        if canonical(ours) == canonical(record):
            continue
        if keep_conflict(db, training_id, record, origin, found_at):
            merged.verdicts["conflict"] += 1


def _ours(db: Database, key: str) -> tuple[int, dict[str, Any]]:
    row = db.execute("SELECT id FROM trainings WHERE training_key = ?", [key]).fetchone()
    if row is None:
        raise StoreError("a kept conflict is of a training that is not there")
    return int(row[0]), read_record(db.conn, int(row[0]))


def _published(db: Database, other: sqlite3.Connection, merged: Merged) -> None:
    """Files of published figures that are not here; a file that is here stays as it is."""
    for (file,) in other.execute("SELECT DISTINCT file FROM published ORDER BY file").fetchall():
        with _refusing(merged, f"published figures of {file}"):
            theirs = published.of_file(other, file)
            for figure in theirs:
                check_form(FigureForm, asdict(figure))
            ours = published.of_file(db.conn, file)
            if not ours:
                published.import_figures(db, file, theirs)
                merged.published += 1
            elif {figure.key for figure in ours} != {figure.key for figure in theirs}:
                merged.notes.append(f"published figures of {file} differ; ours stay")


def _examples(db: Database, other: sqlite3.Connection, merged: Merged) -> None:
    """Images under wrong labels, of labels that are here and have none."""
    have = {row[0] for row in db.execute("SELECT DISTINCT artefact_sha FROM artefact_examples")}
    known = {row[0] for row in db.execute("SELECT artefact_sha FROM artefacts")}
    shas = other.execute("SELECT DISTINCT artefact_sha FROM artefact_examples").fetchall()
    for sha in sorted({row[0] for row in shas} & (known - have)):
        with _refusing(merged, f"images of artefact {sha[:16]}"), db.atomic():
            where = "artefact_examples WHERE artefact_sha = ? ORDER BY position"
            for row in rows(other, EXAMPLE, where, sha):
                check_form(ExampleForm, row)
                add_described(db, "artefact_examples", row)
