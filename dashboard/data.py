"""The boards of a database, and everything that pages ask of one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import pandas as pd

from bench.published.board import beside
from bench.store import audit, coverage, published, reader, scores, structure
from bench.store.database import open_reader
from dashboard import snapshot
from dashboard.kept import kept
from dashboard.snapshot import ALL_CELLS, COMMON_CELLS, HEADLINE, OFF, Gains, Ranking, Snapshot
from dashboard.standing import Standing
from dashboard.wanted import EVERYTHING, Wanted

__all__ = ["ALL_CELLS", "COMMON_CELLS", "HEADLINE", "OFF", "Board", "Gains", "Ranking", "Standing"]

DEFAULT_DB = "leaderboard.db"
ORACLE = "oracle-best-test"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Board:
    """One board of one database: what may be ranked together.

    Attributes:
        path: the database.
        stamp: the state of the database that this was read from.
        key: content hash of suite, budget, protocol and data sets.
        done, failed, planned: numbers of trainings.
    """

    path: Path
    stamp: int
    key: str
    suite: str
    budget: str
    title: str
    data: str
    planned_at: str
    done: int
    failed: int
    planned: int

    @property
    def short(self) -> str:
        """The board in a URL."""
        return self.key[:8]

    @property
    def name(self) -> str:
        """Suite, budget and data sets in one line."""
        return " · ".join(filter(None, [self.suite, self.budget, self.data]))

    @property
    def snapshot(self) -> Snapshot:
        """Database, its state and the board: what is kept is keyed on it."""
        return Snapshot(str(self.path), self.stamp, self.key)

    def suite_spec(self) -> dict[str, Any]:
        """The suite as it was planned."""
        return self.snapshot.read(reader.suite_of)

    def excluded(self) -> pd.DataFrame:
        """Cells left out by the plan, with reasons."""
        return self.snapshot.read(reader.excluded)

    def methods(self) -> pd.DataFrame:
        """What every method declares, with its mean seconds of training."""
        return self.snapshot.read(reader.methods)

    def cells(self) -> pd.DataFrame:
        """Every cell of the plan: dataset, noise, method, planned."""
        return snapshot.cells_of(self.snapshot)

    def refiners(self) -> list[str]:
        """Every refiner with an evaluation, off first."""
        return self.snapshot.read(scores.refiners)

    def selectors(self) -> list[str]:
        """Every selector that trainings were measured by."""
        return self.snapshot.read(scores.selectors)

    def scores(self, refiner: str, selector: str = HEADLINE, with_k: bool = False) -> pd.DataFrame:
        """A row a training under one refiner; other selectors are of the refiner off alone."""
        return snapshot.scores_of(self.snapshot, refiner, selector, with_k)

    def results(self) -> pd.DataFrame:
        """The scores of all refiners, one under the other."""
        return snapshot.results_of(self.snapshot)

    def failures(self) -> pd.DataFrame:
        """A row a training whose every try failed."""
        return self.snapshot.read(coverage.failures)

    def refused(self) -> pd.DataFrame:
        """A row an evaluation that ended in an error."""
        return snapshot.refused_of(self.snapshot)

    def standing(self, ranking: Ranking) -> Standing:
        """Who ranks where."""
        return snapshot.standing_of(self.snapshot, ranking)

    def strengths(self, ranking: Ranking) -> pd.DataFrame:
        """Bradley-Terry strengths of the ranked methods."""
        return snapshot.strengths_of(self.snapshot, ranking)

    def gains(self, refiner: str, wanted: Wanted = EVERYTHING) -> Gains:
        """Gains of one refiner over off, among the cells that are wanted."""
        return snapshot.gains_of(self.snapshot, refiner, wanted)

    def overall_gains(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Of every refiner: gains of every cell, and over all cells."""
        return snapshot.overall_gains_of(self.snapshot)

    def curves(self, dataset: str, noise: str, method: str, refiner: str) -> pd.DataFrame:
        """Accuracy at every k of one cell."""
        return self.snapshot.read(reader.curves, dataset, noise, method, refiner)

    def labels(self) -> pd.DataFrame:
        """What the labels are: a row a data set, noise and seed."""
        return self.snapshot.read(audit.labels)

    def examples(self, artefact_shas: tuple[str, ...]) -> pd.DataFrame:
        """Images under wrong labels."""
        return read_database(self.path, self.stamp, audit.examples, artefact_shas)

    def beside(self) -> pd.DataFrame:
        """Every published figure on this board's cells, with its verdict."""
        return self.snapshot.read(beside)

    def published(self) -> pd.DataFrame:
        """Every published figure in the database."""
        return read_database(self.path, self.stamp, published.figures)

    def heads(self) -> pd.DataFrame:
        """The singular structure of every trained head."""
        return self.snapshot.read(structure.heads)

    def heads_without_vectors(self) -> int:
        """How many heads are older than their vectors."""
        return self.snapshot.read(structure.without_vectors)


def database() -> Path:
    """The database to show, as the environment names it."""
    return Path(os.environ.get("LIPBENCH_DB") or DEFAULT_DB)


def stamp(path: Path) -> int:
    """Changes whenever the database does: a commit may touch only its write-ahead log.

    An empty log holds no commit; SQLite makes one when a database is opened, to read it too.
    """
    times = [0]
    for file in (path, path.with_name(path.name + "-wal")):
        try:
            found = file.stat()
        except OSError:
            continue
        if found.st_size:
            times.append(found.st_mtime_ns)
    return max(times)


def boards(path: Path) -> list[Board]:
    """Every board, the latest first.

    Raises:
        StoreError: there is no database, or none that can be read.
    """
    now = stamp(path)
    rows = read_database(path, now, reader.boards).rename(columns={"board": "key"})
    return [Board(path=path, stamp=now, **row) for row in rows.to_dict("records")]


def read_database(
    path: Path, stamp: int, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args
) -> T:
    """What a function of ``bench.store`` reads of a whole database, at one state of it."""
    return cast("T", _read(str(path), stamp, function, *args))


@kept(64)
def _read(path: str, stamp: int, function: Callable[..., Any], *args: Any) -> Any:
    with closing(open_reader(Path(path))) as connection:
        return function(connection, *args)
