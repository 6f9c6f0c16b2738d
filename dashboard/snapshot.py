"""One state of one board in one database: what is read and worked out of it, once.

Large frames are shared between readers and never changed by them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar, cast

import pandas as pd

from bench.stats import gains
from bench.stats.bradley_terry import strengths
from bench.store import coverage, reader, scores
from bench.store.database import open_reader
from dashboard.kept import kept
from dashboard.standing import Standing, make_standing
from dashboard.wanted import EVERYTHING, Wanted

HEADLINE = "last"
OFF = "off"
ALL_CELLS, COMMON_CELLS = "all", "common"
"""What to do about holes, as ``bench.stats.leaderboard`` names it."""

REFUSED = ["refiner", "dataset", "noise", "method", "seed", "error", "training_key"]

P = ParamSpec("P")
T = TypeVar("T")


class Snapshot(NamedTuple):
    """What everything that is kept is keyed on.

    Attributes:
        path: the database.
        stamp: changes whenever the database does.
        board: the board's key.
    """

    path: str
    stamp: int
    board: str

    def read(
        self,
        function: Callable[Concatenate[sqlite3.Connection, str, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What a function of ``bench.store`` reads of the board; its arguments are hashable."""
        return cast("T", _read(self, function, *args, **kwargs))


class Ranking(NamedTuple):
    """What a ranking is of.

    Attributes:
        refiner: as the suite shows it.
        selector: which epoch speaks for a training; others than ``HEADLINE`` are of ``OFF`` alone.
        holes: ``ALL_CELLS`` or ``COMMON_CELLS``.
        wanted: the cells that are looked at.
    """

    refiner: str
    selector: str = HEADLINE
    holes: str = ALL_CELLS
    wanted: Wanted = EVERYTHING


class Gains(NamedTuple):
    """What one refiner gives over off, as ``bench.stats.gains`` has it."""

    cells: pd.DataFrame
    overall: pd.DataFrame
    by_method: pd.DataFrame


@kept(192)
def _read(snapshot: Snapshot, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with closing(open_reader(Path(snapshot.path))) as connection:
        # One transaction, so that a run which commits meanwhile cannot tear frames apart.
        connection.execute("BEGIN")
        return function(connection, snapshot.board, *args, **kwargs)


@kept(8)
def cells_of(snapshot: Snapshot) -> pd.DataFrame:
    """Every cell of the plan: dataset, noise, method, planned."""
    with closing(open_reader(Path(snapshot.path))) as connection:
        return scores.cells(connection, snapshot.board, snapshot.read(scores.members))


@kept(24)
def scores_of(
    snapshot: Snapshot, refiner: str, selector: str = HEADLINE, with_k: bool = False
) -> pd.DataFrame:
    """A row a training under one refiner, or at the epoch of one selector."""
    named, asked = cells_of(snapshot), snapshot.read(scores.members)
    with closing(open_reader(Path(snapshot.path))) as connection:
        if selector == HEADLINE:
            return scores.scores(connection, snapshot.board, refiner, named, asked, with_k=with_k)
        return scores.selected(connection, snapshot.board, selector, named, asked)


@kept(2)
def results_of(snapshot: Snapshot) -> pd.DataFrame:
    """The scores of all refiners, one under the other."""
    names = snapshot.read(scores.refiners)
    if not names:
        return scores_of(snapshot, OFF, with_k=True)
    return _together(names, [scores_of(snapshot, name, with_k=True) for name in names])


@kept(8)
def refused_of(snapshot: Snapshot) -> pd.DataFrame:
    """A row an evaluation that ended in an error."""
    with closing(open_reader(Path(snapshot.path))) as connection:
        if not scores.any_refused(connection):
            return pd.DataFrame(columns=REFUSED)
        return coverage.without_value(connection, snapshot.board)


@kept(8)
def _unfinished(snapshot: Snapshot) -> pd.DataFrame:
    with closing(open_reader(Path(snapshot.path))) as connection:
        return scores.unfinished(connection, snapshot.board, snapshot.read(scores.members))


@kept(128)
def standing_of(snapshot: Snapshot, ranking: Ranking) -> Standing:
    """Who ranks where, among the cells that are wanted."""
    return make_standing(
        scores_of(snapshot, ranking.refiner, ranking.selector),
        cells_of(snapshot),
        _unfinished(snapshot),
        snapshot.read(reader.excluded),
        ranking.holes,
        ranking.wanted.of,
    )


@kept(128)
def strengths_of(snapshot: Snapshot, ranking: Ranking) -> pd.DataFrame:
    """Bradley-Terry strengths of a standing: their bootstrap takes a moment."""
    return strengths(standing_of(snapshot, ranking).ranks)


@kept(16)
def gains_of(snapshot: Snapshot, refiner: str, wanted: Wanted) -> Gains:
    """Gains of one refiner over off, among the cells that are wanted."""
    names = [OFF, refiner]
    both = _together(names, [wanted.of(scores_of(snapshot, name)) for name in names])
    return Gains(gains.by_cell(both), gains.overall(both), gains.by_method(both))


@kept(4)
def overall_gains_of(snapshot: Snapshot) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of every refiner: gains of every cell, and over all cells."""
    results = results_of(snapshot)
    return gains.by_cell(results), gains.overall(results)


def _together(names: list[str], frames: list[pd.DataFrame]) -> pd.DataFrame:
    parts = [
        frame.assign(refiner=pd.Categorical([name] * len(frame), categories=names))
        for name, frame in zip(names, frames, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)
