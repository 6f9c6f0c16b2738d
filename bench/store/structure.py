"""Reading the singular structure of a board's trained heads; never writes."""

from __future__ import annotations

import json
import sqlite3

import pandas as pd

from bench.stats.twins import COLUMNS
from bench.store.packing import unpack_vectors


def heads(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """A row a trained head of a board whose vectors were kept, in the board's order.

    Columns: those of ``stats.twins.COLUMNS``. Labels are clean when every one is true and stands
    alone; rate is NaN where nobody knows the true labels.
    """
    rows = connection.execute(
        """
        SELECT bt.dataset, bt.noise, bt.method, t.seed, s.head,
          json_extract(bt.noise_params, '$.name'), a.realised_rate,
          a.realised_rate = 0 AND a.open_rate = 0 AND coalesce(a.mean_set_size, 1) = 1,
          s.singular_values, s.effective_rank, s.right_vectors, s.ridge
        FROM board_trainings bt
        JOIN trainings t ON t.id = bt.training_id
        JOIN artefacts a ON a.artefact_sha = t.artefact_sha
        JOIN spectra s ON s.training_id = t.id
        WHERE bt.board = ? AND s.right_vectors IS NOT NULL
        ORDER BY bt.position, s.head
        """,
        [board],
    )
    found = []
    for *axes, rate, is_clean, values, effective_rank, right, ridge in rows:
        singular = json.loads(values)
        found.append(
            (
                *axes,
                float("nan") if rate is None else rate,
                bool(is_clean),
                singular,
                effective_rank,
                unpack_vectors(right, len(singular)),
                None if ridge is None else json.loads(ridge),
            )
        )
    return pd.DataFrame(found, columns=COLUMNS)


def without_vectors(connection: sqlite3.Connection, board: str) -> int:
    """How many trained heads of a board have no vectors, because they are older than these."""
    (count,) = connection.execute(
        "SELECT count(*) FROM board_trainings bt JOIN spectra s USING (training_id) "
        "WHERE bt.board = ? AND s.right_vectors IS NULL",
        [board],
    ).fetchone()
    return int(count)
