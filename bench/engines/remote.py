"""Trainings on another machine: a unit of them goes through a slot of the local engine there.

The worker process and all that it is given are the same as on the coordinator's machine, so that
results are, too. What differs is where files lie: a node that sees the coordinator's workplace
writes logs and checkpoints there, any other keeps them to itself and sends what they say.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.engines.local import LocalEngine, LocalSettings
from bench.engines.protocol import Workplace
from bench.environment import environment
from bench.records import Outcome
from bench.stacking import groups
from bench.training_spec import TrainingSpec

MARK = ".site"
"""A file in the workplace by which a node knows that it sees the same folder."""

UNITS_A_SLOT = 8
"""Units that a slot gets on average: fewer start fewer workers, more share the work out better."""

LARGEST_UNIT = 32
"""Trainings that go to a node together."""

LOSSES = 3
"""How often a training may be lost with its node or job before it counts as crashed."""


@dataclass(frozen=True)
class Site:
    """The coordinator's workplace, as a node may or may not see it.

    Attributes:
        mark: what lies in ``MARK``.
    """

    place: Workplace
    mark: str

    @classmethod
    def at(cls, place: Workplace) -> Site:
        """Leave the mark, or find the one that is there."""
        file = place.root / MARK
        place.root.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text(secrets.token_hex(16), encoding="utf-8")
        return cls(place, file.read_text(encoding="utf-8"))

    def is_seen(self) -> bool:
        """Whether the folder is here, and the same one."""
        try:
            return (self.place.root / MARK).read_text(encoding="utf-8") == self.mark
        except OSError:
            return False


@dataclass(frozen=True)
class NodePlace(Workplace):
    """A folder of one unit on a node.

    Attributes:
        site: the coordinator's workplace, where that is seen; logs and checkpoints go there.
    """

    site: Workplace | None = None

    @property
    def checkpoints(self) -> Path:
        """States of trainings that are not finished."""
        return self.root / "checkpoints" if self.site is None else self.site.checkpoints

    def log(self, spec: TrainingSpec) -> Path:
        """The log of a training's latest attempt."""
        return super().log(spec) if self.site is None else self.site.log(spec)

    def beside_database(self, path: Path) -> str:
        """A path as seen from the database's folder; the coordinator names what it was sent."""
        return path.name if self.site is None else self.site.beside_database(path)


@dataclass(frozen=True)
class Unit:
    """Trainings that go to a node together.

    Attributes:
        gpu_share: of one GPU, 0 on other devices.
    """

    trainings: tuple[TrainingSpec, ...]
    gpu_share: float = 0.0

    def to_json(self) -> list[dict[str, Any]]:
        """The specifications, plain."""
        return [training.to_json() for training in self.trainings]


def units(
    trainings: Sequence[TrainingSpec],
    slots: int,
    share_of: Callable[[TrainingSpec], float] = lambda training: 0.0,
    size: int | None = None,
) -> list[Unit]:
    """Trainings in order, put together so that every slot gets several units.

    Args:
        trainings: what is to run.
        slots: trainings at a time.
        share_of: GPU share of a training; a unit holds equal ones only.
        size: of a unit; by default as many as ``UNITS_A_SLOT`` leaves.
    """
    if size is None:
        size = min(LARGEST_UNIT, max(1, math.ceil(len(trainings) / (slots * UNITS_A_SLOT))))
    found: list[Unit] = []
    together: list[TrainingSpec] = []
    share = 0.0
    # Seeds that a worker may train as one stay together where there is room for them.
    cells = groups(trainings) if size > 1 else [(one,) for one in trainings]
    parts = [g[start : start + size] for g in cells for start in range(0, len(g), size)]
    for group in parts:
        wanted = share_of(group[0])
        if together and (len(together) + len(group) > size or wanted != share):
            found.append(Unit(tuple(together), share))
            together = []
        share = wanted
        together += group
    if together:
        found.append(Unit(tuple(together), share))
    return found


class UnitRun:
    """One unit on the machine that this runs on."""

    def __init__(self, settings: LocalSettings, site: Site, scratch: Path) -> None:
        """Prepare; nothing starts.

        Args:
            settings: of the worker; its workplace is the coordinator's.
            site: that workplace.
            scratch: a folder of the unit's own.
        """
        self.is_at_site = site.is_seen()
        self.place = NodePlace(scratch, site.place if self.is_at_site else None)
        self._engine = LocalEngine(replace(settings, jobs=1, workplace=self.place))

    def run(
        self, trainings: Iterable[TrainingSpec], on_epoch: Callable[[TrainingSpec, int], None]
    ) -> Iterator[tuple[TrainingSpec, Outcome]]:
        """Yield each training as it ends; one that was asked to end is not among them."""
        with closing(self._engine.run(tuple(trainings), on_epoch)) as finished:  # type: ignore[type-var]
            for spec, outcome, path in finished:
                if outcome.status != "interrupted":
                    yield spec, outcome
                if path is not None:
                    path.unlink(missing_ok=True)

    def stop(self) -> None:
        """Let the worker end its epoch and save it; returns when it has, or after the grace."""
        self._engine.stop()


def arrived(outcome: Outcome, log_name: str) -> Outcome:
    """An outcome of another machine as it is kept: our commit where only the code was sent."""
    ours, there = environment(), outcome.environment
    if there is not None and not there.git_commit:
        there = replace(there, git_commit=ours.git_commit, git_dirty=ours.git_dirty)
    return replace(outcome, environment=there, log=log_name)


def given_up(training: TrainingSpec, status: str, error: str, settings: LocalSettings) -> Outcome:
    """The outcome of a training that is not tried again and of which nothing was heard."""
    return Outcome(
        key=training.key,
        status=status,
        started_at=datetime.now(UTC).isoformat("T", "milliseconds"),
        wall_s=0.0,
        device=settings.device,
        precision="",
        threads=settings.threads,
        environment=environment(),
        error=error,
    )
