"""Scores of a board, one refiner or selector at a time, as narrow frames for the statistics.

Names are categories that all frames of a board share, so a frame of 120,000 trainings is a few
megabytes and is grouped by numbers.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.stats.frame import CELL

OFF = "off"

Array = np.ndarray[Any, Any]


class Members(NamedTuple):
    """The trainings of a board, in the order of its cells; arrays of equal length.

    Attributes:
        training: row ids.
        cell: numbers of their cells.
        seed: their seeds.
    """

    training: Array
    cell: Array
    seed: Array

    def values(self, found: Array) -> Array:
        """Columns of a table by training, for every member; NaN where it has no row.

        Args:
            found: ``(rows, 1 + columns)``, row ids ascending in the first column.
        """
        columns = found.shape[1] - 1
        values = np.full((len(self.training), columns), np.nan)
        if len(found):
            places = np.searchsorted(found[:, 0], self.training).clip(max=len(found) - 1)
            there = found[places, 0] == self.training
            values[there] = found[places[there], 1:]
        return values

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest row id: trainings of one plan lie together."""
        if not len(self.training):
            return 0, -1
        return int(self.training.min()), int(self.training.max())


def members(connection: sqlite3.Connection, board: str) -> Members:
    """Every training that a board asks for."""
    rows = _numbers(
        connection,
        "SELECT training_id, cell, seed FROM board_members WHERE board = ? ORDER BY cell, position",
        [board],
        3,
    ).astype(np.int64)
    return Members(rows[:, 0], rows[:, 1], rows[:, 2])


def cells(connection: sqlite3.Connection, board: str, asked: Members | None = None) -> pd.DataFrame:
    """A row a cell of the plan, in its order, indexed by the cell's number.

    Columns: dataset, noise, method (categories in the plan's order), planned (trainings).
    """
    rows = _rows(
        connection,
        "SELECT cell, dataset, noise, method FROM board_cells WHERE board = ? ORDER BY cell",
        [board],
    )
    frame = pd.DataFrame(rows, columns=["cell", *CELL]).set_index("cell")
    for position, column in enumerate(CELL, start=1):
        names = list(dict.fromkeys(row[position] for row in rows))
        frame[column] = pd.Categorical(frame[column], categories=names)
    asked = members(connection, board) if asked is None else asked
    counts = np.bincount(asked.cell, minlength=int(frame.index.max()) + 1 if len(frame) else 0)
    return frame.assign(planned=counts[frame.index.to_numpy(dtype=np.int64)])


def unfinished(
    connection: sqlite3.Connection, board: str, asked: Members | None = None
) -> pd.DataFrame:
    """Trainings without a result, counted by cell.

    Columns: cell, status (``missing``, or how the last try ended), trainings.
    """
    asked = members(connection, board) if asked is None else asked
    done = _numbers(
        connection,
        "SELECT DISTINCT training_id, 1 FROM attempts INDEXED BY attempts_by_status "
        "WHERE training_id BETWEEN ? AND ? AND status = 'done' ORDER BY training_id",
        asked.span,
        2,
    )
    left = np.isnan(asked.values(done)[:, 0])
    last = dict(
        _rows(
            connection,
            "SELECT training_id, status FROM attempts "
            "WHERE training_id IN (SELECT value FROM json_each(?)) ORDER BY training_id, attempt",
            [json.dumps(asked.training[left].tolist())],
        )
    )
    counts = Counter(
        (int(cell), last.get(int(training), "missing"))
        for training, cell in zip(asked.training[left], asked.cell[left], strict=True)
    )
    rows = [(*place, number) for place, number in counts.items()]
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
    connection: sqlite3.Connection,
    board: str,
    refiner: str,
    named: pd.DataFrame,
    asked: Members | None = None,
    *,
    with_k: bool = True,
) -> pd.DataFrame:
    """Test accuracy of every training under one refiner; refused evaluations have none.

    Args:
        connection: a reader.
        board: its key.
        refiner: as the suite shows it.
        named: ``cells`` of the board.
        asked: ``members`` of the board, where they are at hand.
        with_k: read k and rank too, which takes as long again as the rest.

    Returns:
        dataset, noise, method, seed, refiner, test_accuracy, k (NaN where it has none), rank,
        cell: a row a training that was evaluated.
    """
    asked = members(connection, board) if asked is None else asked
    variant = np.full(int(named.index.max()) + 1 if len(named) else 0, -1, dtype=np.int64)
    for cell, number in _rows(
        connection,
        "SELECT cell, variant FROM cell_variants WHERE board = ? AND refiner = ?",
        [board, refiner],
    ):
        variant[cell] = number
    wanted = variant[asked.cell]
    columns = ["test_accuracy", "k", "rank"] if with_k else ["test_accuracy"]
    more = ", coalesce(k, -1), rank" if with_k else ""
    values = np.full((len(wanted), len(columns)), np.nan)
    for number in np.unique(wanted[wanted >= 0]):
        # One pass over an index, in the order of trainings, is quicker than a search for each.
        found = _numbers(
            connection,
            f"SELECT training_id, coalesce(test_accuracy, -1){more} "  # noqa: S608
            "FROM evaluations INDEXED BY evaluations_by_variant "
            "WHERE variant = ? AND training_id BETWEEN ? AND ? ORDER BY training_id",
            [int(number), *asked.span],
            1 + len(columns),
        )
        of_it = wanted == number
        values[of_it] = asked.values(found)[of_it]
    return _tidy(asked, values, columns, named, refiner)


def selected(
    connection: sqlite3.Connection,
    board: str,
    selector: str,
    named: pd.DataFrame,
    asked: Members | None = None,
) -> pd.DataFrame:
    """Test accuracy of every training at the epoch that a selector takes, refiner off.

    Returns:
        dataset, noise, method, seed, refiner, test_accuracy, cell: a row a training that was
        measured.
    """
    asked = members(connection, board) if asked is None else asked
    found = _numbers(
        connection,
        "SELECT training_id, coalesce(test_accuracy, -1) FROM selections "
        "WHERE training_id BETWEEN ? AND ? AND selector = ? ORDER BY training_id",
        [*asked.span, selector],
        2,
    )
    return _tidy(asked, asked.values(found), ["test_accuracy"], named, OFF)


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


def _numbers(
    connection: sqlite3.Connection, sql: str, values: Sequence[Any], columns: int
) -> Array:
    """A query's numbers as an array ``(rows, columns)``."""
    rows = _rows(connection, sql, values)
    flat = np.fromiter(chain.from_iterable(rows), dtype=float, count=len(rows) * columns)
    return flat.reshape(-1, columns)


def _tidy(
    asked: Members, values: Array, columns: Sequence[str], named: pd.DataFrame, refiner: str
) -> pd.DataFrame:
    """Members with a row of values, where -1 stands for nothing, under the names of their cells."""
    there = ~np.isnan(values[:, 0])
    numbers = asked.cell[there]
    places = named.index.get_indexer(pd.Index(numbers))
    found: dict[str, Any] = {}
    for column in CELL:
        categories = named[column].cat
        codes = categories.codes.to_numpy(dtype=np.int64)[places]
        found[column] = pd.Categorical.from_codes(codes, categories=categories.categories)
    found["seed"] = asked.seed[there]
    found["refiner"] = pd.Categorical.from_codes(
        np.zeros(len(numbers), dtype=np.int8), categories=pd.Index([refiner])
    )
    for position, column in enumerate(columns):
        kept = values[there, position]
        found[column] = np.where(kept < 0, np.nan, kept)
    return pd.DataFrame({**found, "cell": numbers})
