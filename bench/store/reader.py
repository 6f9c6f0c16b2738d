"""Reading results, as tidy frames; never writes."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.errors import StoreError, nearest


def boards(connection: sqlite3.Connection) -> pd.DataFrame:
    """Every board with what is planned, done and failed, the latest first."""
    frame = pd.read_sql_query(
        """
        SELECT b.board, b.suite, b.budget, b.title, b.data, b.planned_at,
          (SELECT count(*) FROM board_members bm WHERE bm.board = b.board AND EXISTS (
            SELECT 1 FROM attempts a WHERE a.training_id = bm.training_id AND a.status = 'done'))
            AS done,
          (SELECT count(*) FROM board_members bm WHERE bm.board = b.board AND EXISTS (
            SELECT 1 FROM attempts a WHERE a.training_id = bm.training_id)) AS tried,
          (SELECT count(*) FROM board_members bm WHERE bm.board = b.board) AS planned
        FROM boards b ORDER BY b.planned_at DESC, b.suite, b.budget
        """,
        connection,
    )
    return frame.assign(failed=frame.pop("tried") - frame["done"])


@dataclass(frozen=True)
class Board:
    """What may be ranked together."""

    board: str
    suite: str
    budget: str
    data: str

    @property
    def title(self) -> str:
        """What is ranked: suite, budget and data sets, a subset under its sizes."""
        budget = f", budget {self.budget}" if self.budget else ""
        return f"{self.suite}{budget}, on {self.data}"


def find_board(connection: sqlite3.Connection, suite: str, budget: str | None) -> Board:
    """The latest board of a suite (at a budget).

    Raises:
        StoreError: there is none; the message names the nearest suite or the budgets there are.
    """
    rows = connection.execute(
        "SELECT board, suite, budget, data FROM boards ORDER BY planned_at DESC"
    ).fetchall()
    of_suite = [Board(*row) for row in rows if row[1] == suite]
    if not of_suite:
        names = {str(row[1]) for row in rows}
        raise StoreError(
            f"no results of suite {suite!r} here{nearest(suite, names)}; "
            f"python -m bench run {suite} makes some"
        )
    for board in of_suite:
        if budget is None or board.budget == budget:
            return board
    raise StoreError(
        f"suite {suite!r} was not run at budget {budget!r}"
        f"{nearest(str(budget), {board.budget for board in of_suite})}"
    )


def results(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """One row a training and refiner of a board.

    Columns: dataset, noise, method, seed, refiner, test_accuracy, noisy_val_accuracy, k, rank,
    curve, error, training_key.
    """
    return pd.read_sql_query(
        "SELECT dataset, noise, method, seed, refiner, test_accuracy, noisy_val_accuracy, k, rank, "
        "curve, error, training_key FROM results WHERE board = ?",
        connection,
        params=(board,),
    )


def planned(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Every training that a board asks for, in order, with its status and last error."""
    return pd.read_sql_query(
        """
        SELECT bt.position, bt.dataset, bt.noise, bt.method, t.seed, s.status, t.training_key,
          coalesce((SELECT error FROM attempts a WHERE a.training_id = t.id
                    ORDER BY attempt DESC LIMIT 1), '') AS error
        FROM board_trainings bt
        JOIN trainings t ON t.id = bt.training_id
        JOIN training_status s ON s.training_id = t.id
        WHERE bt.board = ? ORDER BY bt.position
        """,
        connection,
        params=(board,),
    )


def selections(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """One row a training and selector of a board, refiner off.

    Columns: dataset, noise, method, seed, selector, epoch, test_accuracy.
    """
    return pd.read_sql_query(
        """
        SELECT bt.dataset, bt.noise, bt.method, t.seed, s.selector, s.epoch, s.test_accuracy
        FROM board_trainings bt
        JOIN trainings t ON t.id = bt.training_id
        JOIN selections s ON s.training_id = t.id
        WHERE bt.board = ? ORDER BY bt.position, s.selector
        """,
        connection,
        params=(board,),
    )


def curves(
    connection: sqlite3.Connection, board: str, dataset: str, noise: str, method: str, refiner: str
) -> pd.DataFrame:
    """Accuracy at every k of one cell under one refiner, a row a seed and k.

    Columns: seed, k, noisy_val_accuracy, test_accuracy (as shares), chosen (whether this k is
    the one that was taken). Empty where the refiner has no k.
    """
    rows = connection.execute(
        "SELECT seed, k, curve FROM results WHERE board = ? AND dataset = ? AND noise = ? "
        "AND method = ? AND refiner = ? AND test_accuracy IS NOT NULL ORDER BY seed",
        [board, dataset, noise, method, refiner],
    )
    points = [
        (seed, k, noisy, test, k == chosen)
        for seed, chosen, curve in rows
        for k, noisy, test in json.loads(curve)
    ]
    return pd.DataFrame(
        points, columns=["seed", "k", "noisy_val_accuracy", "test_accuracy", "chosen"]
    ).astype({"noisy_val_accuracy": float, "test_accuracy": float})


def suite_of(connection: sqlite3.Connection, board: str) -> dict[str, Any]:
    """The suite of a board at its budget, as it was planned: protocol, seeds, lists of names."""
    (spec,) = connection.execute("SELECT spec FROM boards WHERE board = ?", [board]).fetchone()
    return dict(json.loads(spec))


def excluded(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Cells that a board leaves out, with reasons."""
    return pd.read_sql_query(
        "SELECT dataset, noise, method, reason FROM board_excluded WHERE board = ?",
        connection,
        params=(board,),
    )


def methods(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Methods of a board as they declared themselves: paper, knows, uses, cost, seconds."""
    frame = pd.read_sql_query(
        """
        WITH first AS (
          SELECT board, method, min(cell) AS cell FROM board_cells WHERE board = ? GROUP BY method)
        SELECT f.method AS method, p.name, p.summary, p.paper, p.declared,
          json_extract(t.spec, '$.knows') AS knows,
          (SELECT avg(a.train_s) FROM board_cells bc
            JOIN board_members bm ON bm.board = bc.board AND bm.cell = bc.cell
            JOIN attempts a ON a.training_id = bm.training_id AND a.status = 'done'
            WHERE bc.board = f.board AND bc.method = f.method) AS train_s
        FROM first f
        JOIN board_members bm ON bm.board = f.board AND bm.cell = f.cell AND bm.position = (
          SELECT min(position) FROM board_members WHERE board = f.board AND cell = f.cell)
        JOIN trainings t ON t.id = bm.training_id
        JOIN plugins p ON p.kind = 'method' AND p.name = t.method
          AND p.source_sha = t.method_source_sha
        ORDER BY f.cell
        """,
        connection,
        params=(board,),
    )
    declared = frame.pop("declared").map(json.loads)
    frame["knows"] = frame["knows"].map(json.loads)
    for column in ("uses", "cost", "family"):
        frame[column] = [entry.get(column) for entry in declared]
    return frame


def past_seconds(
    connection: sqlite3.Connection, device: str, cpu: str, threads: int
) -> pd.DataFrame:
    """Mean wall seconds of past trainings on a machine like this one.

    Returns:
        method, protocol_sha, fingerprint, wall_s.
    """
    return pd.read_sql_query(
        """
        SELECT t.method, t.protocol_sha, t.fingerprint, avg(a.wall_s) AS wall_s
        FROM attempts a
        JOIN trainings t ON t.id = a.training_id
        JOIN environments e USING (environment_sha)
        WHERE a.status = 'done' AND a.device = ? AND e.cpu = ? AND a.threads = ?
        GROUP BY t.method, t.protocol_sha, t.fingerprint
        """,
        connection,
        params=(device, cpu, threads),
    )
