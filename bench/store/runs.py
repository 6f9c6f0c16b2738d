"""Trainings of a board as runs to browse: filtered, ordered and cut to a page by the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from bench.records import STATUSES
from bench.store.details import training_details

MISSING = "missing"
"""Status of a training that was planned and not run yet."""

ALL_STATUSES = (*STATUSES, MISSING)

AFTER_DIGITS = "g"
"""Sorts behind every hexadecimal digit, so that a prefix is a range that an index can walk."""

GAIN_OF = "lip"
"""The refiner whose gain stands in the list."""

_MEMBERS = """
FROM board_members bm JOIN board_cells bc ON bc.board = bm.board AND bc.cell = bm.cell
"""

_STATUS = """
CASE
  WHEN EXISTS (SELECT 1 FROM attempts a
               WHERE a.training_id = bm.training_id AND a.status = 'done') THEN 'done'
  ELSE coalesce((SELECT a.status FROM attempts a WHERE a.training_id = bm.training_id
                 ORDER BY a.attempt DESC LIMIT 1), 'missing')
END
"""
# The view training_status says the same of all trainings at once, which takes longer than this
# does for those that a filter leaves.

_FOUND = """
SELECT id FROM trainings WHERE training_key >= ? AND training_key < ?
UNION SELECT training_id FROM attempts WHERE error <> '' AND instr(lower(error), ?) > 0
"""

_LAST = """
(SELECT s.test_accuracy FROM selections s
 WHERE s.training_id = bm.training_id AND s.selector = 'last')
"""

_ATTEMPT = """
(SELECT a.attempt FROM attempts a WHERE a.training_id = bm.training_id
 ORDER BY a.status = 'done' DESC, a.attempt DESC LIMIT 1)
"""

_TRIED = "(SELECT max(a.{column}) FROM attempts a WHERE a.training_id = bm.training_id)"

ORDERS = {
    "plan": "bm.position",
    "latest": f"{_TRIED.format(column='started_at')} DESC NULLS LAST, bm.position",
    "lowest": f"{_LAST} ASC NULLS LAST, bm.position",
    "highest": f"{_LAST} DESC NULLS LAST, bm.position",
    "longest": f"{_TRIED.format(column='wall_s')} DESC NULLS LAST, bm.position",
}
"""Name of an order -> how SQL says it."""


@dataclass(frozen=True)
class Wanted:
    """Which runs to list; an empty choice means all.

    Attributes:
        methods, datasets, noises: names as the board shows them.
        seeds: seeds.
        statuses: some of ``ALL_STATUSES``.
        text: first digits of a key, or part of an error, in any case of letters.
        order: one of ``ORDERS``.
    """

    methods: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    noises: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    statuses: tuple[str, ...] = ()
    text: str = ""
    order: str = "plan"

    @property
    def is_everything(self) -> bool:
        """Whether no run is kept out."""
        return not any(getattr(self, item.name) for item in fields(self) if item.name != "order")

    def _source(self, board: str) -> tuple[str, list[Any]]:
        """FROM and WHERE with their values; names and text only ever travel as values."""
        conditions, values = ["bm.board = ?"], [board]
        for column, names in (
            ("bc.method", self.methods),
            ("bc.dataset", self.datasets),
            ("bc.noise", self.noises),
            ("bm.seed", self.seeds),
            (_STATUS, self.statuses),
        ):
            if names:
                conditions.append(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608
                values.append(json.dumps(names))
        text = self.text.strip().lower()
        if text:
            conditions.append(f"bm.training_id IN ({_FOUND})")
            values += [text, text + AFTER_DIGITS, text]
        return f"{_MEMBERS} WHERE {' AND '.join(conditions)}", values


@dataclass(frozen=True)
class Choices:
    """What a board's runs can be filtered by, in the order of the plan."""

    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    noises: tuple[str, ...]
    seeds: tuple[int, ...]


def choices(connection: sqlite3.Connection, board: str) -> Choices:
    """Every name and seed that the board asks for."""

    def names(sql: str) -> tuple[Any, ...]:
        return tuple(row[0] for row in connection.execute(sql, [board]))

    of_cells = "FROM board_cells WHERE board = ? GROUP BY 1 ORDER BY min(cell)"
    return Choices(
        methods=names(f"SELECT method {of_cells}"),
        datasets=names(f"SELECT dataset {of_cells}"),
        noises=names(f"SELECT noise {of_cells}"),
        seeds=names("SELECT DISTINCT seed FROM board_members WHERE board = ? ORDER BY 1"),
    )


def count(connection: sqlite3.Connection, board: str, wanted: Wanted) -> int:
    """How many runs of the board are wanted."""
    source, values = wanted._source(board)
    (found,) = connection.execute(f"SELECT count(*) {source}", values).fetchone()
    return int(found)


def listed(
    connection: sqlite3.Connection, board: str, wanted: Wanted, limit: int, offset: int = 0
) -> pd.DataFrame:
    """One page of the wanted runs, in the wanted order.

    Returns:
        training_key, method, dataset, noise, seed, status, test_accuracy (last epoch, off, a
        share), gain (of ``GAIN_OF`` over off, a difference of shares), wall_s, peak_memory_bytes,
        device, precision, started_at (of the attempt that counts: the last done one, else the
        last), error. What a run has not is missing.
    """
    source, values = wanted._source(board)
    rows = connection.execute(
        f"SELECT bm.cell, bm.position {source} ORDER BY {ORDERS[wanted.order]} LIMIT ? OFFSET ?",
        [*values, limit, offset],
    )
    places = json.dumps([[row[0], row[1]] for row in rows])
    # Only the rows of this page are joined with what they need: the widest tables are not read
    # for the others.
    frame = pd.read_sql_query(
        f"""
        SELECT t.training_key, bc.method, bc.dataset, bc.noise, bm.seed,
          {_STATUS} AS status, {_LAST} AS test_accuracy,
          {_under(":refiner")} - {_under("'off'")} AS gain,
          a.wall_s, a.peak_memory_bytes, a.device, a.precision, a.started_at,
          coalesce(a.error, '') AS error
        FROM json_each(:places) place
        JOIN board_members bm ON bm.board = :board AND bm.cell = place.value ->> 0
          AND bm.position = place.value ->> 1
        JOIN board_cells bc ON bc.board = bm.board AND bc.cell = bm.cell
        JOIN trainings t ON t.id = bm.training_id
        LEFT JOIN attempts a ON a.training_id = bm.training_id AND a.attempt = {_ATTEMPT}
        ORDER BY place.key
        """,  # noqa: S608 - made of the constants above
        connection,
        params={"refiner": GAIN_OF, "board": board, "places": places},
    )
    numbers = ["test_accuracy", "gain", "wall_s", "peak_memory_bytes"]
    return frame.astype(dict.fromkeys(numbers, float))


def _under(refiner: str) -> str:
    """Test accuracy under a refiner, which is given as SQL, as a subquery."""
    return (
        "(SELECT e.test_accuracy FROM cell_variants cv JOIN evaluations e "  # noqa: S608
        "ON e.training_id = bm.training_id AND e.variant = cv.variant "
        f"WHERE cv.board = bm.board AND cv.cell = bm.cell AND cv.refiner = {refiner})"
    )


def matching(connection: sqlite3.Connection, prefix: str) -> list[str]:
    """Keys of at most two trainings that start with these digits; none for an empty prefix."""
    prefix = prefix.strip().lower()
    if not prefix:
        return []
    rows = connection.execute(
        "SELECT training_key FROM trainings WHERE training_key >= ? AND training_key < ? LIMIT 2",
        [prefix, prefix + AFTER_DIGITS],
    )
    return [row[0] for row in rows]


def run_details(connection: sqlite3.Connection, board: str, key: str) -> dict[str, Any]:
    """One training as ``training_details`` gives it, with its place on a board.

    Returns:
        besides those: ``place`` (dataset, noise, method as the board shows them; None where it
        asks for no such training), ``seed``, ``seeds`` (keys of all trainings of that cell, by
        seed), ``labels`` (evaluation_key -> the refiner as the board shows it) and ``environment``
        (of the attempt that counts, plain containers; empty before the first).

    Raises:
        StoreError: no training, or several, start with ``key``.
    """
    found = training_details(connection, key)
    key = found["training_key"]
    place = connection.execute(
        f"SELECT bc.dataset, bc.noise, bc.method, bm.cell {_MEMBERS} "
        "JOIN trainings t ON t.id = bm.training_id WHERE bm.board = ? AND t.training_key = ? "
        "ORDER BY bm.position LIMIT 1",
        [board, key],
    ).fetchone()
    labels = connection.execute(
        "SELECT e.evaluation_key, cv.refiner FROM trainings t "
        "JOIN board_members bm ON bm.training_id = t.id "
        "JOIN cell_variants cv ON cv.board = bm.board AND cv.cell = bm.cell "
        "JOIN evaluations e ON e.training_id = t.id AND e.variant = cv.variant "
        "WHERE t.training_key = ? AND bm.board = ?",
        [key, board],
    ).fetchall()
    names = ("dataset", "noise", "method")
    found["place"] = dict(zip(names, place[:-1], strict=True)) if place else None
    (found["seed"],) = connection.execute(
        "SELECT seed FROM trainings WHERE training_key = ?", [key]
    ).fetchone()
    found["seeds"] = _same_cell(connection, board, place[-1]) if place else {}
    found["labels"] = {row[0]: row[1] for row in labels}
    found["environment"] = _environment(connection, counting(found["attempts"]))
    return found


def counting(attempts: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The attempt that speaks for a training: the last done one, else the last."""
    done = [attempt for attempt in attempts if attempt["status"] == "done"]
    return [*attempts, *done][-1] if attempts else None


def epochs(connection: sqlite3.Connection, keys: Sequence[str]) -> pd.DataFrame:
    """Measurements of every epoch of some trainings: seed, training_key, and all columns there are.

    Later versions of the schema measure more, so columns differ with the database's age.
    """
    frame = pd.read_sql_query(
        "SELECT t.seed, t.training_key, e.* FROM trainings t JOIN epochs e ON e.training_id = t.id "
        "WHERE t.training_key IN (SELECT value FROM json_each(?)) ORDER BY t.seed, e.epoch",
        connection,
        params=(json.dumps(list(keys)),),
    )
    return frame.drop(columns="training_id")


def _same_cell(connection: sqlite3.Connection, board: str, cell: int) -> dict[int, str]:
    rows = connection.execute(
        "SELECT bm.seed, t.training_key FROM board_members bm JOIN trainings t "
        "ON t.id = bm.training_id WHERE bm.board = ? AND bm.cell = ? ORDER BY bm.seed",
        [board, cell],
    )
    return {row[0]: row[1] for row in rows}


def _environment(connection: sqlite3.Connection, attempt: dict[str, Any] | None) -> dict[str, Any]:
    if attempt is None or not attempt["environment_sha"]:
        return {}
    cursor = connection.execute(
        "SELECT * FROM environments WHERE environment_sha = ?", [attempt["environment_sha"]]
    )
    names = [column[0] for column in cursor.description]
    found = dict(zip(names, cursor.fetchone(), strict=True))
    return {
        **{name: value for name, value in found.items() if name != "environment_sha"},
        "git_dirty": bool(found["git_dirty"]),
        "packages": json.loads(found["packages"]),
    }
