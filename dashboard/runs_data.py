"""What the page of runs reads: cut to what it shows, cached until the database changes."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.store import runs
from bench.store.runs import MISSING, Choices, Wanted
from dashboard.data import OFF, Board, read_database

SHORT = 8
"""Digits of a key that a list shows and a URL holds."""

LOG_BYTES = 64 * 1024
"""Of a log's end that is shown."""


@dataclass(frozen=True)
class Run:
    """One training as the page shows it.

    Attributes:
        key: whole key.
        method, dataset, noise: as the board shows them, or as the specification has them where
            this board does not ask for the training.
        on_board: whether it does.
        details: everything, as ``run_details`` gives it.
    """

    key: str
    method: str
    dataset: str
    noise: str
    seed: int
    on_board: bool
    details: dict[str, Any]

    @property
    def short(self) -> str:
        """The run in a URL."""
        return self.key[:SHORT]

    @property
    def name(self) -> str:
        """All that says which training it is, in one line."""
        return f"{self.method} · {self.noise} · {self.dataset} · seed {self.seed}"

    @property
    def attempt(self) -> dict[str, Any] | None:
        """The attempt that counts; None before the first."""
        return runs.counting(self.details["attempts"])

    @property
    def status(self) -> str:
        """``done``, ``missing``, or how the last attempt ended."""
        return MISSING if self.attempt is None else str(self.attempt["status"])

    @property
    def cell(self) -> tuple[str, str, str]:
        """Data set, noise and method: what seeds are averaged over."""
        return self.dataset, self.noise, self.method

    @property
    def seeds(self) -> dict[int, str]:
        """Keys of all trainings of its cell, by seed."""
        return self.details["seeds"] or {self.seed: self.key}

    def refiner(self, evaluation: dict[str, Any]) -> str:
        """The refiner of an evaluation as the board shows it.

        One that this board does not ask for has its own name, with its parameters where that name
        is taken.
        """
        labels = self.details["labels"]
        label = labels.get(evaluation["evaluation_key"])
        if label is not None:
            return str(label)
        name = str(evaluation["refiner"])
        others = [other["refiner"] for other in self.details["evaluations"]]
        is_taken = name in labels.values() or others.count(name) > 1
        return f"{name} {evaluation['params']}" if is_taken else name

    def accuracy(self, refiner: str) -> float | None:
        """Test accuracy under a refiner, a share; None without one."""
        for evaluation in self.details["evaluations"]:
            if self.refiner(evaluation) == refiner:
                value = evaluation["test_accuracy"]
                return None if value is None else float(value)
        return None

    def selected(self, selector: str) -> float | None:
        """Test accuracy at the epoch that a selector takes, refiner off; None without one."""
        for row in self.details["selections"]:
            if row["selector"] == selector:
                return float(row["test_accuracy"])
        return None

    def gain(self, refiner: str) -> float | None:
        """Accuracy under a refiner over that of off; None where either is missing."""
        on, off = self.accuracy(refiner), self.accuracy(OFF)
        return None if on is None or off is None else on - off


def read_run(board: Board, key: str) -> Run:
    """One training by its key or the first digits of it.

    Raises:
        StoreError: no training, or several, start with ``key``.
    """
    details = board.snapshot.read(runs.run_details, key)
    spec, place = details["spec"], details["place"]
    named = place or {
        "dataset": spec.get("dataset"),
        "noise": spec.get("noise", {}).get("label"),
        "method": spec.get("method_label"),
    }
    return Run(
        key=details["training_key"],
        method=str(named["method"]),
        dataset=str(named["dataset"]),
        noise=str(named["noise"]),
        seed=int(details["seed"]),
        on_board=place is not None,
        details=details,
    )


def read_epochs(board: Board, keys: Sequence[str]) -> pd.DataFrame:
    """Measurements of every epoch of some trainings."""
    return read_database(board.path, board.stamp, runs.epochs, tuple(keys))


def read_choices(board: Board) -> Choices:
    """What the list can be filtered by."""
    return board.snapshot.read(runs.choices)


def read_count(board: Board, wanted: Wanted) -> int:
    """How many runs a filter leaves."""
    return board.snapshot.read(runs.count, wanted)


def read_page(board: Board, wanted: Wanted, limit: int, offset: int) -> pd.DataFrame:
    """One page of the runs that a filter leaves, with ``short``: what a URL holds of a key."""
    return board.snapshot.read(_page, wanted, limit, offset)


@dataclass(frozen=True)
class Log:
    """The log of a training's latest attempt.

    Attributes:
        place: where it is or would be; empty where the attempt names none.
        text: its end; None where there is none to show.
        reason: why there is none.
        is_cut: whether its beginning is left out.
    """

    place: str
    text: str | None = None
    reason: str = ""
    is_cut: bool = False


def read_log(db: Path, named: str) -> Log:
    """The end of a log.

    Args:
        db: the database.
        named: path of the log from the database's folder, as the database has it. It is not
            trusted: only a ``.log`` inside that folder, symbolic links followed, is read.
    """
    if not named:
        return Log("", reason="No attempt of this run names a log.")
    root = db.resolve().parent
    try:
        place = (root / named).resolve()
        if not place.is_relative_to(root) or place.suffix != ".log":
            reason = "The database names a log that is not beside it, so it is not read."
            return Log(named, reason=reason)
        if not place.is_file():
            reason = "There is no such file. Results that were shipped or copied have no logs."
            return Log(str(place), reason=reason)
        with place.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_BYTES))
            text = file.read(LOG_BYTES).decode("utf-8", errors="replace")
    except (OSError, ValueError) as error:
        return Log(named, reason=f"It cannot be read: {error}")
    return Log(str(place), text=text, is_cut=size > LOG_BYTES)


def with_database(command: str, db: Path) -> str:
    """A command of this harness, with the database that it is about where that is not the usual."""
    if not command.startswith("python ") or db.resolve() == Path("leaderboard.db").resolve():
        return command
    return f"{command} --db {shlex.quote(str(db))}"


def _page(
    connection: sqlite3.Connection, board: str, wanted: Wanted, limit: int, offset: int
) -> pd.DataFrame:
    page = runs.listed(connection, board, wanted, limit, offset)
    return page.assign(short=[_short(connection, key) for key in page["training_key"]])


def _short(connection: sqlite3.Connection, key: str) -> str:
    """The first digits of a key; more of them where another training starts with the same."""
    length = SHORT
    while length < len(key) and len(runs.matching(connection, key[:length])) > 1:
        length += 4
    return key[:length]
