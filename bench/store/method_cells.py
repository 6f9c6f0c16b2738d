"""One method of a board beside the others: cells, gains, cost and parameters."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pandas as pd


def values(connection: sqlite3.Connection, board: str, refiner: str = "off") -> pd.DataFrame:
    """Every cell under one refiner, seeds averaged by the database.

    Returns:
        dataset, noise, method, seeds, mean, square (mean of squares; shares), in the order of the
        plan. Evaluations without a value are not counted.
    """
    return pd.read_sql_query(
        """
        WITH averaged AS (
          SELECT cell, count(*) AS seeds, avg(test_accuracy) AS mean,
            avg(test_accuracy * test_accuracy) AS square
          FROM results WHERE board = :board AND refiner = :refiner AND test_accuracy IS NOT NULL
          GROUP BY cell)
        SELECT bc.dataset, bc.noise, bc.method, a.seeds, a.mean, a.square
        FROM averaged a JOIN board_cells bc ON bc.board = :board AND bc.cell = a.cell
        ORDER BY a.cell
        """,
        connection,
        params={"board": board, "refiner": refiner},
    )


def gains(connection: sqlite3.Connection, board: str, method: str) -> pd.DataFrame:
    """Mean gain over off of one method in every cell, paired by training, under every refiner.

    Returns:
        dataset, noise, refiner, seeds, gain (as a share).
    """
    return pd.read_sql_query(
        """
        SELECT dataset, noise, refiner, count(*) AS seeds, avg(gain) AS gain
        FROM gains WHERE board = ? AND method = ? AND gain IS NOT NULL
        GROUP BY dataset, noise, refiner
        """,
        connection,
        params=(board, method),
    )


def declared(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """What every method of a board says of itself, in the order of the plan.

    Returns:
        method, name, summary, paper, source_sha, knows (list), uses (list), family, cost
        (forward-and-backward passes a sample), n_networks, predicts, learns_from, paper_params.
    """
    frame = pd.read_sql_query(
        """
        WITH first AS (
          SELECT method, min(cell) AS cell FROM board_cells WHERE board = :board GROUP BY method)
        SELECT f.method, p.name, p.summary, p.paper, p.source_sha, p.declared,
          json_extract(t.spec, '$.knows') AS knows
        FROM first f
        JOIN trainings t ON t.id = (SELECT bm.training_id FROM board_members bm
          WHERE bm.board = :board AND bm.cell = f.cell ORDER BY bm.position LIMIT 1)
        JOIN plugins p ON p.kind = 'method' AND p.name = t.method
          AND p.source_sha = t.method_source_sha
        ORDER BY f.cell
        """,
        connection,
        params={"board": board},
    )
    said = frame.pop("declared").map(json.loads)
    frame["knows"] = [json.loads(text or "[]") for text in frame["knows"]]
    frame["uses"] = [entry.get("uses") or [] for entry in said]
    for column in ("family", "cost", "n_networks", "predicts", "learns_from"):
        frame[column] = [entry.get(column) for entry in said]
    of_papers: list[Any] = [entry.get("paper_params") or {} for entry in said]
    frame["paper_params"] = pd.Series(of_papers, dtype=object)
    return frame


def costs(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Measured cost of every cell over the attempts that went well.

    Returns:
        dataset, noise, method, trainings, train_s (mean), peak_memory_bytes and n_parameters
        (the most).
    """
    return pd.read_sql_query(
        """
        WITH measured AS (
          SELECT bm.cell, count(*) AS trainings, avg(a.train_s) AS train_s,
            max(a.peak_memory_bytes) AS peak_memory_bytes, max(a.n_parameters) AS n_parameters
          FROM board_members bm
          JOIN attempts a ON a.training_id = bm.training_id AND a.status = 'done'
          WHERE bm.board = :board GROUP BY bm.cell)
        SELECT bc.dataset, bc.noise, bc.method, m.trainings, m.train_s, m.peak_memory_bytes,
          m.n_parameters
        FROM measured m JOIN board_cells bc ON bc.board = :board AND bc.cell = m.cell
        ORDER BY m.cell
        """,
        connection,
        params={"board": board},
    )


def parameters(connection: sqlite3.Connection, board: str, method: str) -> pd.DataFrame:
    """All parameters of a method, as its trainings had them.

    Returns:
        dataset, dataset_name (as a suite writes it), noise, noise_name, params (dict): a row a
        cell.
    """
    frame = pd.read_sql_query(
        """
        SELECT bc.dataset, json_extract(t.spec, '$.dataset') AS dataset_name, bc.noise,
          json_extract(bc.noise_params, '$.name') AS noise_name, t.method_params AS params
        FROM board_cells bc
        JOIN trainings t ON t.id = (SELECT bm.training_id FROM board_members bm
          WHERE bm.board = bc.board AND bm.cell = bc.cell ORDER BY bm.position LIMIT 1)
        WHERE bc.board = :board AND bc.method = :method
        ORDER BY bc.cell
        """,
        connection,
        params={"board": board, "method": method},
    )
    frame["params"] = frame["params"].map(json.loads)
    return frame
