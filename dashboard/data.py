"""What the pages read: one consistent snapshot of a board, cached until the file changes."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from bench.published.board import beside
from bench.stats import gains
from bench.store import audit, published, reader, structure
from bench.store.database import open_reader
from dashboard.standing import Standing, make_standing

DEFAULT_DB = "leaderboard.db"
HEADLINE = "last"
ORACLE = "oracle-best-test"
OFF = "off"


@dataclass(frozen=True)
class Snapshot:
    """Everything about one board but its curves, as of one moment.

    Attributes:
        results: a row a training and refiner, without the curves.
        planned: a row a training with its status and last error.
        excluded: cells left out, with reasons.
        methods: what every method declares.
        selections: a row a training and selector, refiner off.
        suite: the suite as it was planned.
    """

    results: pd.DataFrame
    planned: pd.DataFrame
    excluded: pd.DataFrame
    methods: pd.DataFrame
    selections: pd.DataFrame
    suite: dict[str, Any]


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

    def read(self) -> Snapshot:
        """All of it."""
        return _snapshot(str(self.path), self.stamp, self.key)

    def refiners(self) -> list[str]:
        """Every refiner with a result, off first."""
        found = list(dict.fromkeys(self.read().results["refiner"]))
        return sorted(found, key=lambda name: name != OFF)

    def standing(self, refiner: str, selector: str = HEADLINE) -> Standing:
        """Who ranks where under one refiner and one selector."""
        return _standing(str(self.path), self.stamp, self.key, refiner, selector)

    def gains(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Gains over off: of every cell, and over all cells."""
        return _gains(str(self.path), self.stamp, self.key)

    def curves(self, dataset: str, noise: str, method: str, refiner: str) -> pd.DataFrame:
        """Accuracy at every k of one cell."""
        return _curves(str(self.path), self.stamp, self.key, dataset, noise, method, refiner)

    def has_audit(self) -> bool:
        """False for a database of before noise was audited."""
        return _has_audit(str(self.path), self.stamp)

    def labels(self) -> pd.DataFrame:
        """What the labels are: a row a data set, noise and seed."""
        return _labels(str(self.path), self.stamp, self.key)

    def examples(self, artefact_shas: tuple[str, ...]) -> pd.DataFrame:
        """Images under wrong labels."""
        return _examples(str(self.path), self.stamp, artefact_shas)

    def heads(self) -> pd.DataFrame:
        """The singular structure of every trained head."""
        return _heads(str(self.path), self.stamp, self.key)

    def heads_without_vectors(self) -> int:
        """How many heads are older than their vectors."""
        with closing(open_reader(self.path)) as connection:
            return structure.without_vectors(connection, self.key)

    def beside(self) -> pd.DataFrame:
        """Every published figure on this board's cells, with its verdict."""
        return _beside(str(self.path), self.stamp, self.key)

    def published(self) -> pd.DataFrame:
        """Every published figure in the database."""
        return _published(str(self.path), self.stamp)


def database() -> Path:
    """The database to show, as the environment names it."""
    return Path(os.environ.get("LIPBENCH_DB") or DEFAULT_DB)


def stamp(path: Path) -> int:
    """Changes whenever the database does: a commit may touch only its write-ahead log."""
    times = [0]
    for file in (path, path.with_name(path.name + "-wal")):
        try:
            times.append(file.stat().st_mtime_ns)
        except OSError:
            continue
    return max(times)


def boards(path: Path) -> list[Board]:
    """Every board, the latest first.

    Raises:
        StoreError: there is no database, or none that can be read.
    """
    now = stamp(path)
    return [
        Board(
            path=path,
            stamp=now,
            key=row["board"],
            suite=row["suite"],
            budget=row["budget"],
            title=row["title"],
            data=row["data"],
            planned_at=row["planned_at"],
            done=row["done"],
            failed=row["failed"],
            planned=row["planned"],
        )
        for row in _boards(str(path), now).to_dict("records")
    ]


@st.cache_data(max_entries=8, show_spinner=False)
def _boards(path: str, stamp: int) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return reader.boards(connection)


@st.cache_data(max_entries=8, show_spinner=False)
def _snapshot(path: str, stamp: int, board: str) -> Snapshot:
    with closing(open_reader(Path(path))) as connection:
        # One transaction, so that a run which commits meanwhile cannot tear the frames apart.
        connection.execute("BEGIN")
        return Snapshot(
            results=reader.results(connection, board).drop(columns="curve"),
            planned=reader.planned(connection, board),
            excluded=reader.excluded(connection, board),
            methods=reader.methods(connection, board),
            selections=reader.selections(connection, board),
            suite=reader.suite_of(connection, board),
        )


@st.cache_data(max_entries=32, show_spinner=False)
def _standing(path: str, stamp: int, board: str, refiner: str, selector: str) -> Standing:
    found = _snapshot(path, stamp, board)
    results = found.results
    if selector != HEADLINE:
        chosen = found.selections["selector"] == selector
        results = found.selections[chosen].assign(refiner=OFF)
    return make_standing(results, found.planned, found.excluded, refiner)


@st.cache_data(max_entries=8, show_spinner=False)
def _gains(path: str, stamp: int, board: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    results = _snapshot(path, stamp, board).results
    return gains.by_cell(results), gains.overall(results)


@st.cache_data(max_entries=64, show_spinner=False)
def _curves(
    path: str, stamp: int, board: str, dataset: str, noise: str, method: str, refiner: str
) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return reader.curves(connection, board, dataset, noise, method, refiner)


@st.cache_data(max_entries=4, show_spinner=False)
def _heads(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return structure.heads(connection, board)


@st.cache_data(max_entries=8, show_spinner=False)
def _beside(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        connection.execute("BEGIN")
        return beside(connection, board)


@st.cache_data(max_entries=2, show_spinner=False)
def _published(path: str, stamp: int) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return published.figures(connection)


@st.cache_data(max_entries=4, show_spinner=False)
def _has_audit(path: str, stamp: int) -> bool:
    with closing(open_reader(Path(path))) as connection:
        return audit.is_current(connection)


@st.cache_data(max_entries=8, show_spinner=False)
def _labels(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return audit.labels(connection, board)


@st.cache_data(max_entries=32, show_spinner=False)
def _examples(path: str, stamp: int, artefact_shas: tuple[str, ...]) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return audit.examples(connection, artefact_shas)
