"""What the pages read: one consistent snapshot of a board, cached until the file changes."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from bench.published.board import beside
from bench.stats import gains
from bench.store import audit, coverage, published, reader, scores, structure
from bench.store.database import open_reader
from dashboard.standing import Standing, make_standing

DEFAULT_DB = "leaderboard.db"
HEADLINE = "last"
ORACLE = "oracle-best-test"
OFF = "off"
REFUSED = ["refiner", "dataset", "noise", "method", "seed", "error", "training_key"]
ALL_CELLS, COMMON_CELLS = "all", "common"
"""What to do about holes, as ``bench.stats.leaderboard`` names it."""


@dataclass(frozen=True)
class Wanted:
    """Which cells of a board to look at; an empty tuple is all of an axis."""

    datasets: tuple[str, ...] = ()
    noises: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of a frame with dataset, noise and method that are wanted."""
        axes = (("dataset", self.datasets), ("noise", self.noises), ("method", self.methods))
        for column, names in axes:
            if names:
                frame = frame[frame[column].isin(names)]
        return frame

    @property
    def is_everything(self) -> bool:
        """Nothing is filtered."""
        return self == EVERYTHING


EVERYTHING = Wanted()


class Gains(NamedTuple):
    """What one refiner gives over off, as ``bench.stats.gains`` has it."""

    cells: pd.DataFrame
    overall: pd.DataFrame
    by_method: pd.DataFrame


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

    def suite_spec(self) -> dict[str, Any]:
        """The suite as it was planned."""
        return _suite(*self.state)

    def excluded(self) -> pd.DataFrame:
        """Cells left out by the plan, with reasons."""
        return _excluded(*self.state)

    def methods(self) -> pd.DataFrame:
        """What every method declares, with its mean seconds of training."""
        return _methods(*self.state)

    def cells(self) -> pd.DataFrame:
        """Every cell of the plan: dataset, noise, method, planned."""
        return _cells(*self.state)

    def refiners(self) -> list[str]:
        """Every refiner with an evaluation, off first."""
        return _refiners(*self.state)

    def selectors(self) -> list[str]:
        """Every selector that trainings were measured by."""
        return _selectors(*self.state)

    def scores(self, refiner: str, selector: str = HEADLINE) -> pd.DataFrame:
        """A row a training under one refiner; other selectors are of the refiner off alone."""
        return _scores(*self.state, refiner, selector)

    def results(self) -> pd.DataFrame:
        """The scores of all refiners, one under the other."""
        return _results(*self.state)

    def failures(self) -> pd.DataFrame:
        """A row a training whose every try failed."""
        return _failures(*self.state)

    def refused(self) -> pd.DataFrame:
        """A row an evaluation that ended in an error."""
        return _refused(*self.state)

    def standing(
        self,
        refiner: str,
        selector: str = HEADLINE,
        holes: str = ALL_CELLS,
        wanted: Wanted = EVERYTHING,
    ) -> Standing:
        """Who ranks where under one refiner and one selector, among the cells that are wanted."""
        return _standing(*self.state, refiner, selector, holes, wanted)

    def gains(self, refiner: str, wanted: Wanted = EVERYTHING) -> Gains:
        """Gains of one refiner over off, among the cells that are wanted."""
        return _gains(*self.state, refiner, wanted)

    def overall_gains(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Of every refiner: gains of every cell, and over all cells."""
        return _overall_gains(*self.state)

    @property
    def state(self) -> tuple[str, int, str]:
        """Database, its state and the board: what every cache is keyed on."""
        return str(self.path), self.stamp, self.key

    def curves(self, dataset: str, noise: str, method: str, refiner: str) -> pd.DataFrame:
        """Accuracy at every k of one cell."""
        return _curves(str(self.path), self.stamp, self.key, dataset, noise, method, refiner)

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
def _suite(path: str, stamp: int, board: str) -> dict[str, Any]:
    with closing(open_reader(Path(path))) as connection:
        return reader.suite_of(connection, board)


@st.cache_data(max_entries=8, show_spinner=False)
def _excluded(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return reader.excluded(connection, board)


@st.cache_data(max_entries=8, show_spinner=False)
def _methods(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return reader.methods(connection, board)


@st.cache_data(max_entries=8, show_spinner=False)
def _refiners(path: str, stamp: int, board: str) -> list[str]:
    with closing(open_reader(Path(path))) as connection:
        return scores.refiners(connection, board)


@st.cache_data(max_entries=8, show_spinner=False)
def _selectors(path: str, stamp: int, board: str) -> list[str]:
    with closing(open_reader(Path(path))) as connection:
        return scores.selectors(connection, board)


@st.cache_data(max_entries=8, show_spinner=False)
def _failures(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return coverage.failures(connection, board)


@st.cache_data(max_entries=8, show_spinner=False)
def _refused(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        if not scores.any_refused(connection):
            return pd.DataFrame(columns=REFUSED)
        return coverage.without_value(connection, board)


# Large frames are shared between readers and never changed by them: a copy of each would cost more
# than what is done with it.


@st.cache_resource(max_entries=8, show_spinner=False)
def _members(path: str, stamp: int, board: str) -> scores.Members:
    with closing(open_reader(Path(path))) as connection:
        return scores.members(connection, board)


@st.cache_resource(max_entries=8, show_spinner=False)
def _cells(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return scores.cells(connection, board, _members(path, stamp, board))


@st.cache_resource(max_entries=24, show_spinner=False)
def _scores(path: str, stamp: int, board: str, refiner: str, selector: str) -> pd.DataFrame:
    named, asked = _cells(path, stamp, board), _members(path, stamp, board)
    with closing(open_reader(Path(path))) as connection:
        if selector == HEADLINE:
            return scores.scores(connection, board, refiner, named, asked)
        return scores.selected(connection, board, selector, named, asked)


@st.cache_resource(max_entries=2, show_spinner=False)
def _results(path: str, stamp: int, board: str) -> pd.DataFrame:
    names = _refiners(path, stamp, board)
    frames = [_scores(path, stamp, board, name, HEADLINE) for name in names]
    if not frames:
        return _scores(path, stamp, board, OFF, HEADLINE)
    parts = [
        frame.assign(refiner=pd.Categorical([name] * len(frame), categories=names))
        for name, frame in zip(names, frames, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


@st.cache_resource(max_entries=4, show_spinner=False)
def _unfinished(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return scores.unfinished(connection, board, _members(path, stamp, board))


@st.cache_resource(max_entries=64, show_spinner=False)
def _standing(
    path: str, stamp: int, board: str, refiner: str, selector: str, holes: str, wanted: Wanted
) -> Standing:
    return make_standing(
        _scores(path, stamp, board, refiner, selector),
        _cells(path, stamp, board),
        _unfinished(path, stamp, board),
        _excluded(path, stamp, board),
        holes,
        wanted.of,
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _gains(path: str, stamp: int, board: str, refiner: str, wanted: Wanted) -> Gains:
    names = [OFF, refiner]
    parts = [
        frame.assign(refiner=pd.Categorical([name] * len(frame), categories=names))
        for name in names
        for frame in [wanted.of(_scores(path, stamp, board, name, HEADLINE))]
    ]
    both = pd.concat(parts, ignore_index=True)
    return Gains(gains.by_cell(both), gains.overall(both), gains.by_method(both))


@st.cache_resource(max_entries=4, show_spinner=False)
def _overall_gains(path: str, stamp: int, board: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    results = _results(path, stamp, board)
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


@st.cache_data(max_entries=8, show_spinner=False)
def _labels(path: str, stamp: int, board: str) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return audit.labels(connection, board)


@st.cache_data(max_entries=32, show_spinner=False)
def _examples(path: str, stamp: int, artefact_shas: tuple[str, ...]) -> pd.DataFrame:
    with closing(open_reader(Path(path))) as connection:
        return audit.examples(connection, artefact_shas)
