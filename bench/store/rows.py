"""What both kinds of writing share: inserting rows, and numbers of refiners' variants."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bench.identity import canonical
from bench.records import Evaluation
from bench.training_spec import RefinerChoice, RefinerSpec

if TYPE_CHECKING:
    from sqlite_utils import Database

Variant = tuple[str, str, str]
"""A refiner's name, its parameters as canonical JSON, and the hash of its source."""


def variant_of(asked: RefinerSpec | RefinerChoice | Evaluation) -> Variant:
    """What a refiner is stored as."""
    name = asked.refiner if isinstance(asked, Evaluation) else asked.name
    return name, canonical(asked.params), asked.source_sha


def variants(
    db: Database, asked: Iterable[RefinerSpec | RefinerChoice | Evaluation]
) -> dict[Variant, int]:
    """Numbers of variants; those that are new get one."""
    found = {}
    for key in dict.fromkeys(map(variant_of, asked)):
        db.execute(
            "INSERT OR IGNORE INTO variants (refiner, params, source_sha) VALUES (?, ?, ?)", key
        )
        (found[key],) = db.execute(
            "SELECT variant FROM variants WHERE refiner = ? AND params = ? AND source_sha = ?", key
        ).fetchone()
    return found


def known_variants(connection: sqlite3.Connection) -> dict[Variant, int]:
    """Numbers of all variants that there are."""
    rows = connection.execute("SELECT refiner, params, source_sha, variant FROM variants")
    return {(row[0], row[1], row[2]): int(row[3]) for row in rows}


def insert(db: Database, table: str, rows: list[dict[str, Any]], *, replace: bool = False) -> None:
    """Insert rows of the same columns; those whose key exists are left alone, or replaced."""
    if rows:
        columns = list(rows[0])
        values = ([row[column] for column in columns] for row in rows)
        insert_values(db, table, columns, values, replace=replace)


def insert_values(
    db: Database,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Iterable[Any]],
    *,
    replace: bool = False,
) -> None:
    """As ``insert``, of rows that are only values, in the order of the columns."""
    verb = "REPLACE" if replace else "IGNORE"
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    statement = f"INSERT OR {verb} INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
    db.conn.executemany(statement, (tuple(row) for row in rows))
