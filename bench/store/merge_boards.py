"""Boards of another database: new ones whole, known ones by what ours does not ask for yet.

A seed of a cell counts once. Where ours has the cell already, only trainings of the same code,
parameters and protocol join it, at seeds that it lacks: results of two versions of a method are
never averaged.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from bench.store.documents import check_form
from bench.store.forms import BoardForm, CellForm, ExcludedForm
from bench.store.rows import insert

if TYPE_CHECKING:
    from sqlite_utils import Database

BOARD = "board, suite, budget, title, data, protocol_sha, planned_at, spec"
SAME = "t.method, t.method_params, t.method_source_sha, t.protocol_sha, t.fingerprint"
"""What trainings of one cell share."""


def merge_boards(db: Database, other: sqlite3.Connection) -> tuple[int, int]:
    """Take in boards, cells, members and variants.

    Returns:
        how many boards are new, and how many members of the other's are on none of ours because
        our cell is of another version.
    """
    ids = _ids(db, other)
    new, left = 0, 0
    for values in other.execute(f"SELECT {BOARD} FROM boards ORDER BY board").fetchall():  # noqa: S608
        row = dict(zip(BOARD.split(", "), values, strict=True))
        board = row["board"]
        check_form(BoardForm, {**row, "spec": json.loads(row["spec"])})
        if not db.execute("SELECT 1 FROM boards WHERE board = ?", [board]).fetchone():
            protocol = other.execute(
                "SELECT protocol_sha, protocol FROM protocols WHERE protocol_sha = ?",
                [row["protocol_sha"]],
            ).fetchone()
            db.execute("INSERT OR IGNORE INTO protocols VALUES (?, ?)", tuple(protocol))
            insert(db, "boards", [row])
            new += 1
        left += _merge_cells(db, other, board, ids)
        _merge_excluded(db, other, board)
    return new, left


def _ids(db: Database, other: sqlite3.Connection) -> dict[int, int]:
    """The other's row ids of trainings -> ours; those that were refused are absent."""
    ours = dict(db.execute("SELECT training_key, id FROM trainings").fetchall())
    found = other.execute("SELECT id, training_key FROM trainings")
    return {int(row[0]): int(ours[row[1]]) for row in found if row[1] in ours}


def _merge_cells(db: Database, other: sqlite3.Connection, board: str, ids: dict[int, int]) -> int:
    names = "dataset, noise, method"
    ours = {
        tuple(row[1:]): int(row[0])
        for row in db.execute(f"SELECT cell, {names} FROM board_cells WHERE board = ?", [board])  # noqa: S608
    }
    cell = _next(db, "SELECT max(cell) FROM board_cells WHERE board = ?", board)
    position = _next(db, "SELECT max(position) FROM board_members WHERE board = ?", board)
    left = 0
    theirs = other.execute(
        f"SELECT cell, {names}, noise_params FROM board_cells WHERE board = ? ORDER BY cell",  # noqa: S608
        [board],
    ).fetchall()
    for number, dataset, noise, method, noise_params in theirs:
        refiners = _refiners(other, board, number)
        check_form(
            CellForm,
            {
                "dataset": dataset,
                "noise": noise,
                "method": method,
                "noise_params": json.loads(noise_params),
                "refiners": [(a, b, json.loads(c), d) for a, b, c, d in refiners],
            },
        )
        members = other.execute(
            "SELECT training_id, seed FROM board_members WHERE board = ? AND cell = ? "
            "ORDER BY position",
            [board, number],
        ).fetchall()
        members = [(ids[row[0]], row[1]) for row in members if row[0] in ids]
        if not members:
            continue
        target = ours.get((dataset, noise, method))
        if target is None:
            target, cell = cell, cell + 1
            named = {"dataset": dataset, "noise": noise, "noise_params": noise_params}
            insert(db, "board_cells", [{"board": board, "cell": target, "method": method, **named}])
        there = db.execute(
            "SELECT training_id, seed FROM board_members WHERE board = ? AND cell = ?",
            [board, target],
        ).fetchall()
        known, seeds = {row[0] for row in there}, {row[1] for row in there}
        version = _version(db, (there or members)[0][0])
        for training_id, seed in members:
            if training_id in known:
                continue
            if seed in seeds or _version(db, training_id) != version:
                left += 1
                continue
            place = {"board": board, "cell": target, "position": position}
            insert(db, "board_members", [{**place, "training_id": training_id, "seed": seed}])
            position += 1
            seeds.add(seed)
        _add_variants(db, board, target, refiners)
    return left


def _next(db: Database, query: str, board: str) -> int:
    (last,) = db.execute(query, [board]).fetchone()
    return 0 if last is None else int(last) + 1


def _version(db: Database, training_id: int) -> Any:
    query = f"SELECT {SAME} FROM trainings t WHERE t.id = ?"  # noqa: S608
    return tuple(db.execute(query, [training_id]).fetchone())


Refiner = tuple[str, str, str, str]
"""Label on the board, and name, parameters and source of the variant."""


def _refiners(other: sqlite3.Connection, board: str, cell: int) -> list[Refiner]:
    found = other.execute(
        "SELECT cv.refiner, v.refiner, v.params, v.source_sha FROM cell_variants cv "
        "JOIN variants v USING (variant) WHERE cv.board = ? AND cv.cell = ? ORDER BY cv.refiner",
        [board, cell],
    )
    return [(row[0], row[1], row[2], row[3]) for row in found]


def _add_variants(db: Database, board: str, cell: int, refiners: list[Refiner]) -> None:
    """Refiners of a cell under the names of the suite; one that ours names already stays."""
    for label, *variant in refiners:
        db.execute(
            "INSERT OR IGNORE INTO variants (refiner, params, source_sha) VALUES (?, ?, ?)", variant
        )
        db.execute(
            "INSERT OR IGNORE INTO cell_variants (board, refiner, cell, variant) "
            "SELECT ?, ?, ?, variant FROM variants "
            "WHERE refiner = ? AND params = ? AND source_sha = ?",
            [board, label, cell, *variant],
        )


def _merge_excluded(db: Database, other: sqlite3.Connection, board: str) -> None:
    """Reasons for what is left out, unless ours asks for it or says so already."""
    for row in other.execute(
        "SELECT board, dataset, noise, method, reason FROM board_excluded WHERE board = ?", [board]
    ).fetchall():
        names = ("dataset", "noise", "method", "reason")
        check_form(ExcludedForm, dict(zip(names, row[1:], strict=True)))
        db.execute(
            "INSERT INTO board_excluded (board, dataset, noise, method, reason) "
            "SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM board_excluded "
            "WHERE board = ?1 AND dataset = ?2 AND noise = ?3 AND method = ?4) "
            "AND NOT EXISTS (SELECT 1 FROM board_cells "
            "WHERE board = ?1 AND dataset = ?2 AND noise = ?3 AND method = ?4)",
            tuple(row),
        )
