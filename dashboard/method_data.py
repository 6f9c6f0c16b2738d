"""What the page of methods reads: cells averaged by the database, cached."""

from __future__ import annotations

import sqlite3

import pandas as pd

from bench.report.coverage_charts import coverage_frame
from bench.stats.one_method import with_interval
from bench.store import coverage, method_cells, reader
from dashboard.data import Board


def read_declared(board: Board) -> pd.DataFrame:
    """What every method of a board says of itself."""
    return board.snapshot.read(method_cells.declared)


def read_cells(board: Board) -> pd.DataFrame:
    """Every cell with a value, refiner off: dataset, noise, method, seeds, mean, low, high."""
    return board.snapshot.read(_with_interval)


def read_states(board: Board) -> pd.DataFrame:
    """What became of every cell of the plan, as ``coverage_frame`` gives it."""
    return board.snapshot.read(_states)


def read_costs(board: Board) -> pd.DataFrame:
    """Measured cost of every cell."""
    return board.snapshot.read(method_cells.costs)


def read_gains(board: Board, method: str) -> pd.DataFrame:
    """Mean gain of every refiner in every cell of a method."""
    return board.snapshot.read(method_cells.gains, method)


def read_parameters(board: Board, method: str) -> tuple[pd.DataFrame, dict[str, object]]:
    """All parameters of a method in every cell, and the suite, which may have set some."""
    return board.snapshot.read(_parameters, method)


def _with_interval(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    return with_interval(method_cells.values(connection, board))


def _states(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    statuses = coverage.statuses(connection, board)
    return coverage_frame(statuses, reader.excluded(connection, board), {})


def _parameters(
    connection: sqlite3.Connection, board: str, method: str
) -> tuple[pd.DataFrame, dict[str, object]]:
    found = method_cells.parameters(connection, board, method)
    return found, reader.suite_of(connection, board)
