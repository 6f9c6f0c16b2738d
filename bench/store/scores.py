"""Scores of a board, one refiner or selector at a time, as narrow frames for the statistics.

Names are categories that all frames of a board share, so a frame of 120,000 trainings is a few
megabytes and is grouped by numbers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from bench.stats.frame import CELL

OFF = "off"


def cells(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """A row a cell of the plan, in its order, indexed by the cell's number.

    Columns: dataset, noise, method (categories in the plan's order), planned (trainings).
    """
    rows = _rows(
        connection,
        "SELECT bc.cell, bc.dataset, bc.noise, bc.method, (SELECT count(*) FROM board_members bm "
        "WHERE bm.board = bc.board AND bm.cell = bc.cell) FROM board_cells bc WHERE bc.board = ? "
        "ORDER BY bc.cell",
        [board],
    )
    frame = pd.DataFrame(rows, columns=["cell", *CELL, "planned"]).set_index("cell")
    for column in CELL:
        names = list(dict.fromkeys(frame[column]))
        frame[column] = pd.Categorical(frame[column], categories=names)
    return frame


def unfinished(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Trainings without a result, counted by cell.

    Columns: cell, status (``missing``, or how the last try ended), trainings.
    """
    rows = _rows(
        connection,
        """
        WITH open AS (
          SELECT cell, training_id FROM board_members bm WHERE board = ? AND NOT EXISTS (
            SELECT 1 FROM attempts a WHERE a.training_id = bm.training_id AND a.status = 'done'))
        SELECT cell, coalesce((SELECT status FROM attempts a WHERE a.training_id = open.training_id
          ORDER BY attempt DESC LIMIT 1), 'missing') AS status, count(*)
        FROM open GROUP BY cell, status ORDER BY cell
        """,
        [board],
    )
    return pd.DataFrame(rows, columns=["cell", "status", "trainings"])


def refiners(connection: sqlite3.Connection, board: str) -> list[str]:
    """Every refiner that some training of the board has been evaluated under, off first."""
    asked = [
        str(row[0])
        for row in _rows(
            connection,
            "SELECT refiner FROM cell_variants WHERE board = ? GROUP BY refiner "
            "ORDER BY min(cell), min(variant)",
            [board],
        )
    ]
    found = [name for name in asked if _has_any(connection, board, name)]
    return sorted(found, key=lambda name: name != OFF)


def _has_any(connection: sqlite3.Connection, board: str, refiner: str) -> bool:
    query = """
      SELECT 1 FROM cell_variants cv
      JOIN board_members bm ON bm.board = cv.board AND bm.cell = cv.cell
      JOIN evaluations e ON e.variant = cv.variant AND e.training_id = bm.training_id
      WHERE cv.board = ? AND cv.refiner = ? LIMIT 1
    """
    return connection.execute(query, [board, refiner]).fetchone() is not None


def scores(
    connection: sqlite3.Connection, board: str, refiner: str, named: pd.DataFrame
) -> pd.DataFrame:
    """Test accuracy of every training under one refiner; refused evaluations have none.

    Args:
        connection: a reader.
        board: its key.
        refiner: as the suite shows it.
        named: ``cells`` of the board.

    Returns:
        dataset, noise, method, seed, refiner, test_accuracy, k (NaN where it has none), rank,
        cell.
    """
    rows = _rows(
        connection,
        """
        SELECT bm.cell, bm.seed, coalesce(e.test_accuracy, -1), coalesce(e.k, -1), e.rank
        FROM cell_variants cv
        JOIN board_members bm ON bm.board = cv.board AND bm.cell = cv.cell
        JOIN evaluations e ON e.variant = cv.variant AND e.training_id = bm.training_id
        WHERE cv.board = ? AND cv.refiner = ?
        """,
        [board, refiner],
    )
    columns = ["cell", "seed", "test_accuracy", "k", "rank"]
    return _tidy(rows, columns, named, refiner)


def selected(
    connection: sqlite3.Connection, board: str, selector: str, named: pd.DataFrame
) -> pd.DataFrame:
    """Test accuracy of every training at the epoch that a selector takes, refiner off.

    Returns:
        dataset, noise, method, seed, refiner, test_accuracy, cell.
    """
    rows = _rows(
        connection,
        """
        SELECT bm.cell, bm.seed, coalesce(s.test_accuracy, -1) FROM board_members bm
        JOIN selections s ON s.training_id = bm.training_id AND s.selector = ?
        WHERE bm.board = ? ORDER BY bm.cell, bm.position
        """,
        [selector, board],
    )
    return _tidy(rows, ["cell", "seed", "test_accuracy"], named, OFF)


def selectors(connection: sqlite3.Connection, board: str) -> list[str]:
    """Selectors that the first finished training of the board knows."""
    rows = _rows(
        connection,
        """
        SELECT selector FROM selections WHERE training_id = (
          SELECT bm.training_id FROM board_members bm WHERE bm.board = ? AND EXISTS (
            SELECT 1 FROM selections s WHERE s.training_id = bm.training_id) LIMIT 1)
        """,
        [board],
    )
    return [str(row[0]) for row in rows]


def seconds(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Mean seconds of training by cell: cell, train_s, peak_memory_bytes."""
    rows = _rows(
        connection,
        """
        SELECT bm.cell, avg(a.train_s), avg(a.peak_memory_bytes) FROM board_members bm
        JOIN attempts a ON a.training_id = bm.training_id AND a.status = 'done'
        WHERE bm.board = ? GROUP BY bm.cell
        """,
        [board],
    )
    frame = pd.DataFrame(rows, columns=["cell", "train_s", "peak_memory_bytes"])
    return frame.astype({"train_s": float, "peak_memory_bytes": float})


def any_refused(connection: sqlite3.Connection) -> bool:
    """Some evaluation of the database ended in an error: an index knows at once."""
    query = (
        "SELECT 1 FROM evaluations INDEXED BY evaluations_refused WHERE test_accuracy IS NULL "
        "LIMIT 1"
    )
    return connection.execute(query).fetchone() is not None


def _rows(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> list[Any]:
    """Plain tuples: a ``Row`` costs more than it holds here."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(sql, values).fetchall()


def _tidy(rows: list[Any], columns: list[str], named: pd.DataFrame, refiner: str) -> pd.DataFrame:
    """Rows of numbers, where -1 stands for nothing, under the names of their cells."""
    flat = np.fromiter(chain.from_iterable(rows), dtype=float, count=len(rows) * len(columns))
    values = flat.reshape(-1, len(columns))
    numbers = values[:, 0].astype(np.int64)
    places = named.index.get_indexer(pd.Index(numbers))
    found: dict[str, Any] = {}
    for column in CELL:
        categories = named[column].cat
        codes = categories.codes.to_numpy(dtype=np.int64)[places]
        found[column] = pd.Categorical.from_codes(codes, categories=categories.categories)
    found["seed"] = values[:, 1].astype(np.int64)
    found["refiner"] = pd.Categorical.from_codes(
        np.zeros(len(values), dtype=np.int8), categories=pd.Index([refiner])
    )
    for position, column in enumerate(columns[2:], start=2):
        found[column] = np.where(values[:, position] < 0, np.nan, values[:, position])
    return pd.DataFrame({**found, "cell": numbers})
