"""SIGKILL at random moments: nothing committed is lost, nothing comes twice, the end is the same.

The suite here kills a few times. For more, with a table of what happened::

    LIPBENCH_KILLS=50 LIPBENCH_KILLS_SEED=3 python -m pytest -s tests/engine/test_kills.py

``LIPBENCH_KILLS_S`` ends sooner, after that many seconds.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.engines.protocol import Workplace
from bench.store import check
from bench.training.keeping import kept

KILLS = int(os.environ.get("LIPBENCH_KILLS", "6"))
WITHIN_S = float(os.environ.get("LIPBENCH_KILLS_S", "inf"))
SEED = int(os.environ.get("LIPBENCH_KILLS_SEED", "0"))
LONGEST_S = 15.0
"""Between two kills."""

SUITE = """
suite: killed
datasets: [digits]
noises: [{symmetric: {rate: 0.4}}]
methods: [ce, elr]
refiners: [off, lip]
seeds: SEEDS
protocol: {backbone: {mlp: {width: 32, depth: 1}}, epochs: 10, batch_size: 32}
"""
"""Trainings of about half a second."""

Measured = Callable[[Path], dict[str, list[tuple[Any, ...]]]]


@dataclass
class Tally:
    """What was done to suites, and what became of their results."""

    kills: Counter[str] = field(default_factory=Counter)
    committed: int = 0
    lost: int = 0
    duplicated: int = 0
    resumed: int = 0
    suites: int = 0

    def __str__(self) -> str:
        kills = ", ".join(f"{count} of the {victim}" for victim, count in self.kills.items())
        return (
            f"SIGKILL: {kills}; finished suites: {self.suites}; results that were committed at a "
            f"kill: {self.committed}, of these lost or changed: {self.lost}, twice: "
            f"{self.duplicated}; trainings that went on from a checkpoint: {self.resumed}"
        )


def start(suite: Path, db: Path, data_dir: Path) -> subprocess.Popen[bytes]:
    """The command that a user types again after a kill; one that crashed is tried again."""
    options = ("--db", db, "--data-dir", data_dir, "--jobs", 1, "--threads", 1, "--device", "cpu")
    often = ("--redo", "failed", "--checkpoint-every", "2epochs")
    command = [sys.executable, "-m", "bench", "run", suite, *options, *often]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def results(db: Path) -> list[tuple[Any, ...]]:
    """Every committed evaluation, and that of every training's last epoch."""
    if not db.exists():
        return []
    with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute(
                "SELECT evaluation_key, test_accuracy, k, curve, "
                "(SELECT train_loss FROM epochs p WHERE p.training_id = e.training_id "
                " ORDER BY epoch DESC LIMIT 1) FROM evaluations e ORDER BY 1"
            ).fetchall()
        except sqlite3.OperationalError:  # killed before the tables were made
            return []


def worker_of(process: subprocess.Popen[bytes]) -> int | None:
    found = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "bench.worker"], capture_output=True, check=False
    )
    return int(found.stdout.split()[0]) if found.stdout.split() else None


def kill_at_random(
    process: subprocess.Popen[bytes], draw: random.Random, usual_s: float, tally: Tally
) -> bool:
    """Kill coordinator or worker, or nothing when the run is over before; whether anything was."""
    try:
        process.wait(timeout=draw.uniform(0, usual_s))
        return False
    except subprocess.TimeoutExpired:
        pass
    worker = worker_of(process)
    if worker is not None and draw.random() < 0.5:
        try:
            os.kill(worker, signal.SIGKILL)
        except ProcessLookupError:
            return False
        tally.kills["worker"] += 1
        return True
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    tally.kills["coordinator"] += 1
    return True


def sound(db: Path) -> list[str]:
    if not db.exists():
        return []
    with closing(sqlite3.connect(db)) as connection:
        try:
            return check.problems(connection)
        except sqlite3.OperationalError as error:
            return [] if "no such table" in str(error) else [str(error)]


def test_kills_at_random_moments_lose_nothing_and_change_nothing(
    tmp_path: Path, data_dir: Path, measured: Measured
) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(SUITE.replace("SEEDS", "3" if KILLS < 20 else "12"))
    began = time.monotonic()
    assert start(suite, tmp_path / "whole.db", data_dir).wait(timeout=240) == 0
    usual_s = time.monotonic() - began
    whole = measured(tmp_path / "whole.db")
    draw, tally = random.Random(SEED), Tally()  # noqa: S311
    deadline = began + WITHIN_S

    def enough() -> bool:
        return tally.kills.total() >= KILLS or time.monotonic() >= deadline

    while not enough():
        tally.suites += 1
        db = tmp_path / f"killed-{tally.suites}.db"
        process = start(suite, db, data_dir)
        while process.poll() is None:
            before = results(db)
            if enough():
                process.wait(timeout=240)
            elif kill_at_random(process, draw, min(usual_s, LONGEST_S), tally):
                tally.committed += len(before)
                tally.resumed += len(kept(Workplace.beside(db).checkpoints))
                after = dict.fromkeys(results(db))
                tally.lost += sum(row not in after for row in before)
                assert sound(db) == []
            if process.poll() not in (None, 0):
                process = start(suite, db, data_dir)
        assert sound(db) == []
        found = results(db)
        tally.duplicated += len(found) - len({row[0] for row in found})
        assert measured(db) == whole
        assert list(Workplace.beside(db).outbox.glob("*.json")) == []
        assert kept(Workplace.beside(db).checkpoints) == []
    print(f"\n{tally}")
    assert (tally.lost, tally.duplicated) == (0, 0)
