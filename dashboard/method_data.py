"""What the page of methods reads: cells averaged by the database, cached."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pandas as pd
import streamlit as st

from bench.report.coverage_charts import coverage_frame
from bench.stats.one_method import with_interval
from bench.store import coverage, method_cells, reader
from bench.store.database import open_reader
from dashboard.data import Board


def read_declared(board: Board) -> pd.DataFrame:
    """What every method of a board says of itself."""
    return _declared(str(board.path), board.stamp, board.key)


def read_cells(board: Board) -> pd.DataFrame:
    """Every cell with a value, refiner off: dataset, noise, method, seeds, mean, low, high."""
    return _cells(str(board.path), board.stamp, board.key)


def read_states(board: Board) -> pd.DataFrame:
    """What became of every cell of the plan, as ``coverage_frame`` gives it."""
    return _states(str(board.path), board.stamp, board.key)


def read_costs(board: Board) -> pd.DataFrame:
    """Measured cost of every cell."""
    return _costs(str(board.path), board.stamp, board.key)


def read_gains(board: Board, method: str) -> pd.DataFrame:
    """Mean gain of every refiner in every cell of a method."""
    return _gains(str(board.path), board.stamp, board.key, method)


def read_parameters(board: Board, method: str) -> tuple[pd.DataFrame, dict[str, object]]:
    """All parameters of a method in every cell, and the suite, which may have set some."""
    return _parameters(str(board.path), board.stamp, board.key, method)


@st.cache_data(max_entries=8, show_spinner=False)
def _declared(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return method_cells.declared(connection, board)


@st.cache_data(max_entries=4, show_spinner="Averaging seeds …")
def _cells(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return with_interval(method_cells.values(connection, board))


@st.cache_data(max_entries=4, show_spinner="Counting trainings …")
def _states(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        connection.execute("BEGIN")
        statuses = coverage.statuses(connection, board)
        return coverage_frame(statuses, reader.excluded(connection, board), {})


@st.cache_data(max_entries=4, show_spinner=False)
def _costs(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return method_cells.costs(connection, board)


@st.cache_data(max_entries=64, show_spinner=False)
def _gains(path: str, stamp: int, board: str, method: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return method_cells.gains(connection, board, method)


@st.cache_data(max_entries=64, show_spinner=False)
def _parameters(
    path: str, stamp: int, board: str, method: str
) -> tuple[pd.DataFrame, dict[str, object]]:
    with closing(open_reader(Path(path))) as connection:
        found = method_cells.parameters(connection, board, method)
        return found, reader.suite_of(connection, board)
