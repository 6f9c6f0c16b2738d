"""What of a board is done, failed, missing or without a value, counted by the database."""

from __future__ import annotations

import sqlite3

import pandas as pd

STATE = """
  SELECT bm.cell, bm.position, bm.training_id, bm.seed, coalesce(a.status, 'missing') AS status,
    a.attempt, count(a.attempt) AS attempts, max((a.status = 'done') * 1000000 + a.attempt)
  FROM board_members bm LEFT JOIN attempts a ON a.training_id = bm.training_id
  WHERE bm.board = :board GROUP BY bm.cell, bm.position
"""
"""Trainings with the attempt that decides: SQLite takes bare columns from the row of a max()."""

NAMES = """
  t.method AS method_name,
  coalesce(json_extract(bc.noise_params, '$.name'), bc.noise) AS noise_name,
  coalesce(json_extract(t.spec, '$.dataset'), bc.dataset) AS dataset_name
"""
"""Names without parameters, as ``run --only`` takes them where a label holds a comma."""


def statuses(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """How many trainings of every cell are done, missing, or ended in some other way.

    Returns:
        dataset, noise, method, status, trainings: a row a cell and status, in the order of the
        plan.
    """
    return _read(
        connection,
        board,
        f"""
        WITH state AS ({STATE}),
          counted AS (SELECT cell, status, count(*) AS trainings FROM state GROUP BY cell, status)
        SELECT bc.dataset, bc.noise, bc.method, c.status, c.trainings
        FROM counted c JOIN board_cells bc ON bc.board = :board AND bc.cell = c.cell
        ORDER BY c.cell
        """,  # noqa: S608
    )


def missing(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Every cell of which a training was never tried, with the seeds that lack.

    Returns:
        dataset, noise, method, seeds (``0, 2``), trainings, method_name, noise_name,
        dataset_name: a row a cell, in the order of the plan.
    """
    return _read(
        connection,
        board,
        f"""
        WITH state AS ({STATE}),
          lacking AS (
            SELECT cell, group_concat(seed, ', ') AS seeds, count(*) AS trainings,
              min(training_id) AS one
            FROM state WHERE status = 'missing' GROUP BY cell)
        SELECT bc.dataset, bc.noise, bc.method, l.seeds, l.trainings, {NAMES}
        FROM lacking l
        JOIN board_cells bc ON bc.board = :board AND bc.cell = l.cell
        JOIN trainings t ON t.id = l.one
        ORDER BY l.cell
        """,  # noqa: S608
    )


def failures(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Every training whose every try failed, with how the last one ended.

    Returns:
        dataset, noise, method, seed, status, error, attempts, started_at, log, training_key,
        method_name, noise_name, dataset_name: in the order of the plan.
    """
    return _read(
        connection,
        board,
        f"""
        WITH state AS ({STATE})
        SELECT bc.dataset, bc.noise, bc.method, s.seed, s.status, a.error, s.attempts,
          a.started_at, a.log, t.training_key, {NAMES}
        FROM state s
        JOIN board_cells bc ON bc.board = :board AND bc.cell = s.cell
        JOIN attempts a ON a.training_id = s.training_id AND a.attempt = s.attempt
        JOIN trainings t ON t.id = s.training_id
        WHERE s.status NOT IN ('done', 'missing') ORDER BY s.cell, s.position
        """,  # noqa: S608
    )


def traceback_of(connection: sqlite3.Connection, training_key: str) -> str:
    """What the last failed attempt of a training left; empty where it left nothing."""
    row = connection.execute(
        """
        SELECT a.traceback FROM trainings t JOIN attempts a ON a.training_id = t.id
        WHERE t.training_key = ? AND a.status <> 'done' ORDER BY a.attempt DESC LIMIT 1
        """,
        [training_key],
    ).fetchone()
    return str(row[0]) if row else ""


def without_value(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Evaluations that ended in an error, where the training itself went well.

    Returns:
        refiner, dataset, noise, method, seed, error, training_key, method_name, noise_name,
        dataset_name: in the order of the plan.
    """
    # Found in an index of scores first: errors lie among the curves, which are many pages.
    return _read(
        connection,
        board,
        f"""
        WITH wrong AS MATERIALIZED (
          SELECT cv.refiner, bm.cell, bm.position, bm.training_id, bm.seed, cv.variant
          FROM cell_variants cv
          CROSS JOIN board_members bm ON bm.board = cv.board AND bm.cell = cv.cell
          JOIN evaluations e INDEXED BY evaluations_by_variant
            ON e.variant = cv.variant AND e.training_id = bm.training_id
          WHERE cv.board = :board AND e.test_accuracy IS NULL)
        SELECT w.refiner, bc.dataset, bc.noise, bc.method, w.seed, e.error, t.training_key, {NAMES}
        FROM wrong w
        JOIN board_cells bc ON bc.board = :board AND bc.cell = w.cell
        JOIN evaluations e ON e.training_id = w.training_id AND e.variant = w.variant
        JOIN trainings t ON t.id = w.training_id
        ORDER BY w.cell, w.position, w.refiner
        """,  # noqa: S608
    )


def not_evaluated(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Evaluations that the plan asks for and that trainings which are done never tried.

    A suite that gained a refiner after it was run has these.

    Returns:
        refiner, dataset, noise, method, trainings, method_name, noise_name, dataset_name: a row a
        cell and refiner, in the order of the plan.
    """
    return _read(
        connection,
        board,
        f"""
        WITH absent AS MATERIALIZED (
            SELECT cv.cell, cv.refiner, bm.training_id
            FROM cell_variants cv
            CROSS JOIN board_members bm ON bm.board = cv.board AND bm.cell = cv.cell
            LEFT JOIN evaluations e INDEXED BY evaluations_by_variant
              ON e.variant = cv.variant AND e.training_id = bm.training_id
            WHERE cv.board = :board AND e.training_id IS NULL),
          lacking AS (
            SELECT cell, refiner, count(*) AS trainings, min(training_id) AS one
            FROM absent WHERE EXISTS (SELECT 1 FROM attempts a
              WHERE a.training_id = absent.training_id AND a.status = 'done')
            GROUP BY cell, refiner)
        SELECT l.refiner, bc.dataset, bc.noise, bc.method, l.trainings, {NAMES}
        FROM lacking l
        JOIN board_cells bc ON bc.board = :board AND bc.cell = l.cell
        JOIN trainings t ON t.id = l.one
        ORDER BY l.cell, l.refiner
        """,  # noqa: S608
    )


def _read(connection: sqlite3.Connection, board: str, sql: str) -> pd.DataFrame:
    return pd.read_sql_query(sql, connection, params={"board": board})
