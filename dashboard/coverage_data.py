"""What the page of coverage reads: cells and what lacks, counted by the database, cached."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass

import pandas as pd

from bench.report.coverage_charts import coverage_frame
from bench.stats.frame import BLOCK, CELL
from bench.store import coverage, reader
from bench.store.database import open_reader
from dashboard.data import Board


@dataclass(frozen=True)
class Coverage:
    """Everything that lacks of one board, as of one moment.

    Attributes:
        cells: as ``coverage_frame`` gives them.
        totals: number of trainings by status.
        missing: cells of which a training was never tried.
        failures: a row a training whose every try failed.
        valueless: a row an evaluation that ended in an error.
        unevaluated: a row a cell and refiner that was never tried.
        excluded: cells left out, with reasons.
    """

    cells: pd.DataFrame
    totals: pd.Series
    missing: pd.DataFrame
    failures: pd.DataFrame
    valueless: pd.DataFrame
    unevaluated: pd.DataFrame
    excluded: pd.DataFrame

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """(Data set, noise) in the order of the plan, those that are left out last."""
        unique = self.cells[BLOCK].drop_duplicates()
        return list(zip(unique["dataset"], unique["noise"], strict=True))

    @property
    def axes(self) -> tuple[str, ...]:
        """Of ``run --only``, those that tell cells apart."""
        several = self.cells["dataset"].nunique() > 1
        return ("method", "noise", "dataset") if several else ("method", "noise")

    def only(self, wanted: dict[str, list[str]]) -> Coverage:
        """The part of it in which every axis has one of the wanted names."""
        return Coverage(
            cells=_kept(self.cells, wanted),
            totals=self.totals,
            missing=_kept(self.missing, wanted),
            failures=_kept(self.failures, wanted),
            valueless=_kept(self.valueless, wanted),
            unevaluated=_kept(self.unevaluated, wanted),
            excluded=_kept(self.excluded, wanted),
        )


def read_coverage(board: Board) -> Coverage:
    """All of it."""
    return board.snapshot.read(_read)


def read_traceback(board: Board, training_key: str) -> str:
    """What the last failed attempt of a training left."""
    with closing(open_reader(board.path)) as connection:
        return coverage.traceback_of(connection, training_key)


def _kept(frame: pd.DataFrame, wanted: dict[str, list[str]]) -> pd.DataFrame:
    for axis, names in wanted.items():
        frame = frame[frame[axis].isin(names)]
    return frame


def _read(connection: sqlite3.Connection, board: str) -> Coverage:
    statuses = coverage.statuses(connection, board)
    valueless = coverage.without_value(connection, board)
    unevaluated = coverage.not_evaluated(connection, board)
    excluded = reader.excluded(connection, board)
    lacking: dict[tuple[str, str, str], int] = {}
    for frame, numbers in ((valueless.assign(n=1), "n"), (unevaluated, "trainings")):
        for *cell, number in frame[[*CELL, numbers]].itertuples(index=False, name=None):
            key = (str(cell[0]), str(cell[1]), str(cell[2]))
            lacking[key] = lacking.get(key, 0) + int(number)
    return Coverage(
        cells=coverage_frame(statuses, excluded, lacking),
        totals=statuses.groupby("status")["trainings"].sum(),
        missing=coverage.missing(connection, board),
        failures=coverage.failures(connection, board),
        valueless=valueless,
        unevaluated=unevaluated,
        excluded=excluded,
    )
