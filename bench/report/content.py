"""Everything that a report reads of one board, as of one moment."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.published.board import beside
from bench.stats.frame import CELL
from bench.store import audit, coverage, reader, scores
from bench.store.reader import Board

Block = tuple[str, str]
"""Data set and noise, as the suite shows them."""


@dataclass(frozen=True)
class Content:
    """One board with its plan, its results, and where they come from.

    Attributes:
        board: whose.
        db: the database.
        planned_at: when the board was last planned, UTC, ISO 8601.
        spec: the suite at this budget.
        results: a row a training and refiner, in the order of the plan.
        methods: what every method declares, with its mean seconds of training.
        labels: as ``store.audit.labels`` gives them.
        beside: published figures, as ``published.board.beside`` gives them.
        asked: dataset, noise, method, planned (trainings): every cell of the plan, in its order.
        missing, failures, valueless, unevaluated: what lacks, as ``store.coverage`` names it.
        excluded: cells that the plan leaves out, with reasons.
        environments: a row an environment that made results: git_commit, git_dirty, python,
            platform, cpu, cores, accelerator, packages (dict), device, trainings.
    """

    board: Board
    db: Path
    planned_at: str
    spec: dict[str, Any]
    results: pd.DataFrame
    methods: pd.DataFrame
    labels: pd.DataFrame
    beside: pd.DataFrame
    asked: pd.DataFrame
    missing: pd.DataFrame
    failures: pd.DataFrame
    valueless: pd.DataFrame
    unevaluated: pd.DataFrame
    excluded: pd.DataFrame
    environments: pd.DataFrame

    @property
    def refiners(self) -> list[str]:
        """Every refiner with a value, in the order of the suite."""
        valued = self.results[self.results["test_accuracy"].notna()]
        return [str(name) for name in dict.fromkeys(valued["refiner"])]

    @property
    def blocks(self) -> list[Block]:
        """(Data set, noise) in the order of the plan."""
        pairs = self.asked[["dataset", "noise"]].drop_duplicates()
        return list(pairs.itertuples(index=False, name=None))


def read(connection: sqlite3.Connection, board: Board, db: Path) -> Content:
    """Read a board in one transaction, so that a run which commits meanwhile tears nothing apart.

    Args:
        connection: a reader.
        board: as ``store.reader.find_board`` gives it.
        db: where the connection leads, for commands.
    """
    if not connection.in_transaction:
        connection.execute("BEGIN")
    key = board.board
    asked = scores.cells(connection, key)
    plain = asked.astype(dict.fromkeys(CELL, object)).reset_index(drop=True)
    (planned_at,) = connection.execute(
        "SELECT planned_at FROM boards WHERE board = ?", [key]
    ).fetchone()
    return Content(
        board=board,
        db=db,
        planned_at=str(planned_at),
        spec=reader.suite_of(connection, key),
        results=read_results(connection, key),
        methods=reader.methods(connection, key),
        labels=audit.labels(connection, key),
        beside=beside(connection, key),
        asked=plain,
        missing=coverage.missing(connection, key),
        failures=coverage.failures(connection, key),
        valueless=coverage.without_value(connection, key),
        unevaluated=coverage.not_evaluated(connection, key),
        excluded=reader.excluded(connection, key),
        environments=_environments(connection, key),
    )


def read_results(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """A row a training and refiner, in the order of the plan: cells, then seeds, then refiners."""
    results = reader.results(connection, board)
    asked = scores.cells(connection, board).astype(dict.fromkeys(CELL, object))
    cells = pd.MultiIndex.from_frame(asked[CELL])
    refiners = pd.Index(scores.refiners(connection, board))
    places = {
        "_cell": cells.get_indexer(pd.MultiIndex.from_frame(results[CELL])),
        "_refiner": refiners.get_indexer(pd.Index(results["refiner"])),
    }
    ordered = results.assign(**places).sort_values(["_cell", "seed", "_refiner"], kind="stable")
    return ordered.drop(columns=list(places)).reset_index(drop=True)


def _environments(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    frame = pd.read_sql_query(
        """
        SELECT e.git_commit, e.git_dirty, e.python, e.platform, e.cpu, e.cores, e.accelerator,
          e.packages, a.device, count(*) AS trainings
        FROM board_members bm
        JOIN attempts a ON a.training_id = bm.training_id AND a.status = 'done'
        JOIN environments e ON e.environment_sha = a.environment_sha
        WHERE bm.board = ?
        GROUP BY e.environment_sha, a.device ORDER BY count(*) DESC, e.environment_sha
        """,
        connection,
        params=(board,),
    )
    return frame.assign(packages=[json.loads(text) for text in frame["packages"]])
