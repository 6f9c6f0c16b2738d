"""What ended last on a board, for whoever watches a run."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

import pandas as pd

LOOKED_AT = 400
"""Attempts that began last, among which those that ended last are: more than any machine's jobs."""


def latest(connection: sqlite3.Connection, board: str, most: int = 10) -> pd.DataFrame:
    """The trainings that ended last, the last first.

    Returns:
        dataset, noise, method, seed, status, wall_s, ended_at (UTC, ISO 8601), error,
        training_key.
    """
    return pd.read_sql_query(
        """
        SELECT bt.dataset, bt.noise, bt.method, t.seed, a.status, a.wall_s,
          strftime('%Y-%m-%dT%H:%M:%fZ', a.started_at, '+' || a.wall_s || ' seconds') AS ended_at,
          a.error, t.training_key
        FROM (SELECT training_id, attempt, status, wall_s, started_at, error FROM attempts
              ORDER BY started_at DESC LIMIT ?) a
        JOIN board_trainings bt ON bt.training_id = a.training_id AND bt.board = ?
        JOIN trainings t ON t.id = a.training_id
        ORDER BY ended_at DESC LIMIT ?
        """,
        connection,
        params=(LOOKED_AT, board, most),
    )


def ended_since(connection: sqlite3.Connection, board: str, since: datetime) -> int:
    """How many attempts of a board ended after a moment (with a time zone).

    Attempts that began more than a day before it are not looked at.
    """
    (number,) = connection.execute(
        """
        SELECT count(*) FROM attempts a
        WHERE a.started_at >= :earliest
          AND julianday(a.started_at) + a.wall_s / 86400.0 >= julianday(:since)
          AND EXISTS (SELECT 1 FROM board_members bm
                      WHERE bm.training_id = a.training_id AND bm.board = :board)
        """,
        {
            "earliest": (since - timedelta(days=1)).isoformat("T", "milliseconds"),
            "since": since.isoformat("T", "milliseconds"),
            "board": board,
        },
    ).fetchone()
    return int(number)
