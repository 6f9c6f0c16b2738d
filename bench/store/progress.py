"""How far trainings are: what a run asks the database before it does anything."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """What the database knows of some trainings.

    Attributes:
        rows: row ids of those that were planned before, by key.
        statuses: ``done``, or how the last attempt failed, by row id; those tried only.
        evaluated: variant -> row ids of trainings that have a result under it.
        refused: variant -> row ids of those where the refiner failed.
    """

    rows: dict[str, int]
    statuses: dict[int, str]
    evaluated: dict[int, set[int]]
    refused: dict[int, set[int]]


def progress(
    connection: sqlite3.Connection, keys: Iterable[str], variants: Iterable[int]
) -> Progress:
    """State of trainings under some variants of refiners, read in a few passes over indexes."""
    rows = training_ids(connection, keys)
    among, values = _among(rows.values())
    tried = "SELECT training_id, status FROM attempts INDEXED BY attempts_by_status WHERE"
    failed = f"{tried} {among} AND status <> 'done' ORDER BY training_id, attempt"
    statuses = dict(connection.execute(failed, values))
    statuses.update(connection.execute(f"{tried} {among} AND status = 'done'", values))
    evaluated = {}
    for variant in variants:
        found = connection.execute(
            "SELECT training_id FROM evaluations INDEXED BY evaluations_by_variant "  # noqa: S608
            f"WHERE variant = ? AND {among} AND test_accuracy IS NOT NULL",
            [variant, *values],
        )
        evaluated[variant] = {int(row[0]) for row in found}
    refused: dict[int, set[int]] = {}
    for row, variant in connection.execute(
        "SELECT training_id, variant FROM evaluations INDEXED BY evaluations_refused "  # noqa: S608
        f"WHERE test_accuracy IS NULL AND {among}",
        values,
    ):
        refused.setdefault(variant, set()).add(row)
    return Progress(rows, statuses, evaluated, refused)


PASSED_OVER = 4
"""Rows of an index that may be read for each one that is wanted; a search for it costs as much."""


def _among(rows: Collection[int]) -> tuple[str, list[Any]]:
    """A condition that holds for these trainings (and maybe some between them), and its values.

    Trainings of one plan lie together, and a pass over their part of an index is quicker than a
    search for each.
    """
    lowest, highest = min(rows, default=0), max(rows, default=-1)
    if highest - lowest < PASSED_OVER * len(rows):
        return "training_id BETWEEN ? AND ?", [lowest, highest]
    return "training_id IN (SELECT value FROM json_each(?))", [json.dumps(list(rows))]


def training_ids(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, int]:
    """Row ids of trainings, by key; those that were never planned are absent."""
    asked = list(keys)
    query = "SELECT training_key, id FROM trainings"
    (total,) = connection.execute("SELECT count(*) FROM trainings").fetchone()
    if total > PASSED_OVER * len(asked):
        return dict(rows_of(connection, f"{query} WHERE training_key IN", asked))
    known = dict(connection.execute(query))
    if known.keys() == dict.fromkeys(asked).keys():  # a database of one plan: nothing to leave out
        return known
    return {key: known[key] for key in asked if key in known}


def rows_of(connection: sqlite3.Connection, query: str, keys: Iterable[str]) -> sqlite3.Cursor:
    """Rows of a query that ends in ``IN``, for any number of keys."""
    query += " (SELECT value FROM json_each(?))"
    return connection.execute(query, [json.dumps(list(keys))])
