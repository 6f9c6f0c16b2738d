"""A small file beside the outbox that says what a run is doing, for whoever watches it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.records import Outcome
    from bench.training_spec import TrainingSpec

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""Between two beats."""

STALE_S = 30.0
"""After this long without a beat a run is taken for dead, wherever it ran."""

GONE_S = 5.0
"""After this long without a beat it is dead already if this machine has no such process."""


@dataclass(frozen=True)
class Underway:
    """A training that a worker has now.

    Attributes:
        name: data set, noise, method and seed in one line.
        key: of the training.
        epoch: the last one that ended; 0 before the first did.
        epochs: how many it will have.
        since: when a worker took it, ISO 8601 in UTC.
    """

    name: str
    key: str
    epoch: int
    epochs: int
    since: str


@dataclass(frozen=True)
class Beat:
    """What a run said last.

    Attributes:
        pid, host: the coordinator's process and machine.
        started_at, updated_at: ISO 8601 in UTC.
        suite, budget: as they were typed after ``run``; a suite of the user's own is a path.
        board: what is being filled.
        total, done, failed: numbers of trainings of this run, which may be part of a board.
        share: of the work that is done, 0..1, weighted by what methods cost an epoch.
        jobs: trainings at a time.
        running: what the workers have now.
    """

    pid: int
    host: str
    started_at: str
    updated_at: str
    suite: str
    budget: str
    board: str
    total: int
    done: int
    failed: int
    share: float
    jobs: int
    running: tuple[Underway, ...]

    def stopped(self, now: datetime) -> bool:
        """Whether the run ended without removing its file."""
        age = (now - datetime.fromisoformat(self.updated_at)).total_seconds()
        if age > STALE_S:
            return True
        # A process of another machine, or of a container with this one's name, is not seen here,
        # so a process that is not there says nothing while beats arrive.
        return age > GONE_S and self.host == socket.gethostname() and not is_alive(self.pid)


class Pulse:
    """Writes the file about once a second; what goes wrong with it never reaches the run."""

    def __init__(
        self,
        place: Path,
        asked: tuple[str, str, str],
        trainings: Sequence[TrainingSpec],
        jobs: int,
    ) -> None:
        """Begin to beat.

        Args:
            place: the file.
            asked: suite as it was typed, budget and board.
            trainings: what will run, in order.
            jobs: trainings at a time.
        """
        self._place = place
        self._asked = asked
        self._trainings = trainings
        self._jobs = min(jobs, len(trainings))
        self._waiting = iter(trainings)
        self._underway: dict[str, Underway] = {}
        self._costs = {t.key: t.cost * t.protocol["epochs"] for t in trainings}
        self._work = 0.0
        self._done = self._failed = 0
        self._started_at = _now()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._fill()
        self._write()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def epoch(self, training: TrainingSpec, epoch: int) -> None:
        """An epoch of a training ended; called from the slots' threads."""
        with self._lock:
            # Workers take trainings in order, and the next one before the last is committed.
            while training.key not in self._underway and self._take():
                pass
            if training.key in self._underway:
                self._underway[training.key] = Underway(
                    **{**asdict(self._underway[training.key]), "epoch": epoch}
                )

    def finished(self, training: TrainingSpec, outcome: Outcome) -> None:
        """A training ended and is committed."""
        with self._lock:
            self._underway.pop(training.key, None)
            self._work += self._costs[training.key]
            if outcome.problems:
                self._failed += 1
            else:
                self._done += 1
            self._fill()

    def close(self) -> None:
        """Stop, and leave no file."""
        self._over.set()
        self._thread.join(timeout=GONE_S)
        clear(self._place)

    def _fill(self) -> None:
        while len(self._underway) < self._jobs and self._take():
            pass

    def _take(self) -> bool:
        training = next(self._waiting, None)
        if training is None:
            return False
        epochs = int(training.protocol["epochs"])
        self._underway[training.key] = Underway(training.name, training.key, 0, epochs, _now())
        return True

    def _beat(self) -> None:
        while not self._over.wait(EVERY_S):
            self._write()

    def _write(self) -> None:
        with self._lock:
            beat = self._said()
        part = self._place.with_name(self._place.name + ".part")
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(asdict(beat)), encoding="utf-8")
            os.replace(part, self._place)
        except OSError as error:
            log.debug("no heartbeat: %s", error)

    def _said(self) -> Beat:
        running = tuple(self._underway.values())
        begun = sum(self._costs[r.key] * r.epoch / max(1, r.epochs) for r in running)
        suite, budget, board = self._asked
        return Beat(
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=self._started_at,
            updated_at=_now(),
            suite=suite,
            budget=budget,
            board=board,
            total=len(self._trainings),
            done=self._done,
            failed=self._failed,
            share=min(1.0, (self._work + begun) / max(1e-9, sum(self._costs.values()))),
            jobs=self._jobs,
            running=running,
        )


def read(place: Path) -> Beat | None:
    """The last beat; None where there is none or the file is not one."""
    try:
        data: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        for moment in ("started_at", "updated_at"):
            if datetime.fromisoformat(data[moment]).tzinfo is None:
                return None
        return Beat(
            pid=int(data["pid"]),
            host=str(data["host"]),
            started_at=data["started_at"],
            updated_at=data["updated_at"],
            suite=str(data["suite"]),
            budget=str(data["budget"]),
            board=str(data["board"]),
            total=int(data["total"]),
            done=int(data["done"]),
            failed=int(data["failed"]),
            share=min(1.0, max(0.0, float(data["share"]))),
            jobs=int(data["jobs"]),
            running=tuple(_underway(row) for row in data["running"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def clear(place: Path) -> None:
    """Remove the file of a run that is over; only who holds the database's lock may."""
    with contextlib.suppress(OSError):
        place.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether this machine has such a process; True where that cannot be asked."""
    if os.name != "posix" or pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _underway(row: dict[str, Any]) -> Underway:
    since = str(row["since"])
    datetime.fromisoformat(since)
    return Underway(str(row["name"]), str(row["key"]), int(row["epoch"]), int(row["epochs"]), since)


def _now() -> str:
    return datetime.now(UTC).isoformat("T", "milliseconds")
