"""Execute what a plan still misses and commit every outcome as it arrives."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.engines.protocol import Workplace, posted, read_post
from bench.store.progress import progress
from bench.store.rows import known_variants, variant_of
from bench.store.writer import commit, is_committed
from bench.training.keeping import kept, remove

if TYPE_CHECKING:
    from sqlite_utils import Database

    from bench.engines.engine import Engine
    from bench.records import Outcome
    from bench.training_spec import TrainingSpec

log = logging.getLogger(__name__)

UNKNOWN = -1
"""Stands for the row of a training or of a variant that the database does not know."""

REDO = ("missing", "failed", "all")

SETTLED = ("done", "failed", "diverged")
"""Statuses that trying again from a checkpoint would only repeat."""

UNFIT = (
    *(ValueError, KeyError, TypeError, AttributeError),
    *(sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError),
)
"""What comes of reading or committing a file that is no outcome of this database."""


@dataclass(frozen=True)
class Todo:
    """The trainings of a plan by what becomes of them.

    Attributes:
        done: have every evaluation the plan asks for.
        run: will run now.
        failed: they or one of their refiners failed before; left alone (``--redo failed``).
    """

    done: tuple[TrainingSpec, ...]
    run: tuple[TrainingSpec, ...]
    failed: tuple[TrainingSpec, ...]


@dataclass
class Summary:
    """What a run did.

    Attributes:
        done: trainings that have results now.
        interrupted: trainings that were asked to end; nothing is recorded, they stay to be run.
        failures: trainings with a problem, and how they ended.
    """

    done: int = 0
    interrupted: int = 0
    failures: list[tuple[TrainingSpec, Outcome]] = field(default_factory=list)


def sort_out(
    connection: sqlite3.Connection, trainings: Sequence[TrainingSpec], redo: str = "missing"
) -> Todo:
    """Which trainings must run.

    Args:
        connection: the results so far.
        trainings: what the plan (after filters) asks for.
        redo: ``missing`` runs what was never tried, ``failed`` also what failed, ``all`` all.
    """
    asked = [id(training.choices) for training in trainings]
    choices = {key: training.choices for key, training in zip(asked, trainings, strict=True)}
    numbers = known_variants(connection)
    wanted = {
        key: tuple([numbers.get(variant_of(choice), UNKNOWN) for choice in of_one])
        for key, of_one in choices.items()
    }
    variants = {number for of_one in wanted.values() for number in of_one}
    known = progress(connection, [training.key for training in trainings], variants)
    ended = {row for row, status in known.statuses.items() if status == "done"}
    # Sets are compared at once: of many trainings most are done, and are looked at no further.
    complete = {
        of_one: ended.intersection(*(known.evaluated[variant] for variant in of_one))
        for of_one in set(wanted.values())
    }
    nothing: set[int] = set()
    done: list[TrainingSpec] = []
    run: list[TrainingSpec] = []
    failed: list[TrainingSpec] = []
    for key, training in zip(asked, trainings, strict=True):
        row = known.rows.get(training.key, UNKNOWN)
        status = known.statuses.get(row, "missing")
        if redo == "all":
            run.append(training)
        elif row in complete[wanted[key]]:
            done.append(training)
        elif status == "missing" or redo == "failed":
            run.append(training)
        elif status == "done" and any(
            row not in known.evaluated[variant] and row not in known.refused.get(variant, nothing)
            for variant in wanted[key]
        ):
            run.append(training)  # the suite asks for a refiner that was never tried
        else:
            failed.append(training)
    return Todo(tuple(done), tuple(run), tuple(failed))


def drain(db: Database, workplace: Workplace) -> int:
    """Commit outcomes that an earlier run left in the outbox; returns how many."""
    count = 0
    for path in posted(workplace.outbox):
        try:
            spec, outcome = read_post(path)
            if not is_committed(db, spec, outcome):  # the run may have died just before the removal
                commit(db, spec, outcome)
                count += 1
            _settle(workplace, outcome)
        except UNFIT as error:
            aside = path.with_suffix(".rejected")
            path.rename(aside)
            log.warning("%s is no outcome of this database (%s); kept as %s", path, error, aside)
            continue
        path.unlink(missing_ok=True)
    return count


def tidy(workplace: Workplace, done: Sequence[TrainingSpec]) -> int:
    """Remove checkpoints of trainings that are done; returns how many are left for later."""
    known = kept(workplace.checkpoints)
    over = {training.key for training in done}.intersection(known) if known else set()
    for key in over:
        remove(workplace.checkpoints, key)
    return len(known) - len(over)


def _settle(workplace: Workplace, outcome: Outcome) -> None:
    if outcome.status in SETTLED:
        remove(workplace.checkpoints, outcome.key)


def run(
    db: Database,
    engine: Engine,
    trainings: Sequence[TrainingSpec],
    *,
    on_epoch: Callable[[TrainingSpec, int], None],
    on_finished: Callable[[TrainingSpec, Outcome], None],
    workplace: Workplace | None = None,
) -> Summary:
    """Run trainings and commit each as it ends; interrupting loses only what is in flight.

    Args:
        db: of the writer.
        engine: what runs them.
        trainings: what to run, in order.
        on_epoch: called with a training and the epoch that ended.
        on_finished: called when an outcome is committed.
        workplace: where checkpoints lie that are needed no more once an outcome is committed.
    """
    summary = Summary()
    finished = engine.run(trainings, on_epoch)
    try:
        for spec, outcome, path in finished:
            if outcome.status == "interrupted":  # stays to be run, from its checkpoint
                summary.interrupted += 1
                continue
            commit(db, spec, outcome)
            if path is not None:
                path.unlink(missing_ok=True)
            if workplace is not None:
                _settle(workplace, outcome)
            if outcome.problems:
                summary.failures.append((spec, outcome))
            else:
                summary.done += 1
            on_finished(spec, outcome)
    finally:
        finished.close()  # type: ignore[attr-defined]
    return summary
