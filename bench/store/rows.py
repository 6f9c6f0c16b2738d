"""What both kinds of writing share: inserting rows, and numbers of refiners' variants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bench.identity import canonical
from bench.records import Evaluation, RefinerSpec

if TYPE_CHECKING:
    from sqlite_utils import Database

Variant = tuple[str, str, str]
"""A refiner's name, its parameters as canonical JSON, and the hash of its source."""


def variant_of(asked: RefinerSpec | Evaluation) -> Variant:
    """What a refiner is stored as."""
    name = asked.refiner if isinstance(asked, Evaluation) else asked.name
    return name, canonical(asked.params), asked.source_sha


def variants(db: Database, asked: Iterable[RefinerSpec | Evaluation]) -> dict[Variant, int]:
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


def insert(db: Database, table: str, rows: list[dict[str, Any]], *, replace: bool = False) -> None:
    """Insert rows; those whose key exists are left alone, or replaced."""
    if rows:
        db.table(table).insert_all(rows, ignore=not replace, replace=replace)
