"""When a training is saved, and how it ends early without losing what it has learned."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.training.checkpoints import Checkpoint, Saved
    from bench.training.session import Session

log = logging.getLogger(__name__)

INTERRUPTED = 75
"""Exit status of a worker that was asked to end and did: ``EX_TEMPFAIL``, try again later."""

DEFAULT = "10min"

GRACE_S = 5.0
"""Seconds between SIGTERM and SIGKILL."""

SUFFIX = ".checkpoint"


class Interrupted(BaseException):
    """The training was asked to end, and did so at the end of an epoch; no failure of its own."""


@dataclass(frozen=True)
class Every:
    """How often a training is saved, at ends of epochs: after some minutes or some epochs."""

    minutes: float | None = None
    epochs: int | None = None

    def due(self, minutes: float, epochs: int) -> bool:
        """Whether it is time, so long and so many epochs after the last time."""
        by_clock = self.minutes is not None and minutes >= self.minutes
        return by_clock or (self.epochs is not None and epochs >= self.epochs)

    def __str__(self) -> str:
        return f"{self.epochs}epochs" if self.epochs else f"{self.minutes:g}min"


def every(text: str) -> Every | None:
    """``10min``, ``5epochs`` or ``off``, which is None. Raises ``BenchError`` for anything else."""
    if text == "off":
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(min|minutes?|epochs?)", text.strip())
    if found and found[2].startswith("min"):
        return Every(minutes=float(found[1]))
    if found and found[1].isdigit() and int(found[1]) > 0:
        return Every(epochs=int(found[1]))
    raise BenchError(
        f"--checkpoint-every takes a time, a number of epochs or off: 10min, 5epochs, off; "
        f"got {text!r}"
    )


@dataclass(frozen=True)
class Keeping:
    """Facts of the machine about checkpoints; never part of a training's identity.

    Attributes:
        folder: where they lie.
        every: how often.
        stop: whether the training shall end, asked after every epoch.
    """

    folder: Path
    every: Every
    stop: Callable[[], bool] = lambda: False


def files(folder: Path, key: str) -> tuple[Path, Path]:
    """The checkpoint of a training, and the one before it."""
    last = folder / f"{key}{SUFFIX}"
    return last, last.with_name(f"{last.name}.before")


def remove(folder: Path, key: str) -> None:
    """Remove what a training needs no more."""
    for path in files(folder, key):
        path.unlink(missing_ok=True)


def kept(folder: Path) -> list[str]:
    """Keys of the trainings that have a checkpoint; half-written files of dead workers go."""
    if not folder.is_dir():
        return []
    for part in folder.glob("*.part"):
        part.unlink(missing_ok=True)
    return sorted({path.name.partition(".")[0] for path in folder.glob(f"*{SUFFIX}*")})


class Keeper:
    """Saves one training, and goes on with it."""

    def __init__(self, keeping: Keeping, checkpoint: Checkpoint) -> None:
        self._keeping = keeping
        self._checkpoint = checkpoint
        self._since = time.monotonic()
        self._epoch = 0

    def begin(self, build: Callable[[], Session]) -> tuple[Session, Saved | None]:
        """A new session, or one that goes on from its checkpoint and what that held."""
        from bench.training.checkpoints import restore
        from bench.training.unsaved import Opaque

        session = build()
        saved = self._checkpoint.load()
        self._opaque = Opaque(session.method)
        if saved is not None:
            try:
                restore(session, saved)
            except Exception as error:  # what a plugin's load_state_dict may raise
                log.warning("the checkpoint does not fit (%s); the training starts anew", error)
                self._checkpoint.remove()
                session, saved = build(), None
                self._opaque = Opaque(session.method)
        self._since = time.monotonic()
        self._epoch = session.epoch
        if saved is not None:
            log.info("going on after epoch %d of a checkpoint", saved.epoch)
        return session, saved

    def after_epoch(self, session: Session, make: Callable[[], Saved]) -> None:
        """Save if it is time or the training shall end.

        Args:
            session: at the end of an epoch.
            make: gives what to save.

        Raises:
            Interrupted: the training shall end.
        """
        stopping = self._keeping.stop()
        minutes = (time.monotonic() - self._since) / 60
        if stopping or self._keeping.every.due(minutes, session.epoch - self._epoch):
            self.save(session, make)
        if stopping:
            raise Interrupted(f"after epoch {session.epoch}")

    def save(self, session: Session, make: Callable[[], Saved]) -> None:
        """Save; where that is impossible the training goes on without, and its log says why."""
        self._since, self._epoch = time.monotonic(), session.epoch
        try:
            lost = self._opaque.changed(session.method)
            if lost:
                names = ", ".join(lost)
                log.warning("no checkpoint: %s is no part of the method's state_dict()", names)
            else:
                self._checkpoint.save(make())
        except Exception as error:  # a full disk, or what a plugin's state_dict may raise
            log.warning("no checkpoint: %s", error)
