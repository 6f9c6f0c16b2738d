"""Execute what a plan still misses and commit every outcome as it arrives."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.engines.protocol import Workplace, posted, read_post
from bench.store.reader import Progress, progress
from bench.store.writer import commit

if TYPE_CHECKING:
    from sqlite_utils import Database

    from bench.engines.local import LocalEngine
    from bench.records import Outcome, TrainingSpec

log = logging.getLogger(__name__)

REDO = ("missing", "failed", "all")


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
    """What a run did."""

    done: int = 0
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
    known = progress(connection, [training.key for training in trainings])
    done: list[TrainingSpec] = []
    run: list[TrainingSpec] = []
    failed: list[TrainingSpec] = []
    for training in trainings:
        state = known.get(training.key, Progress("missing"))
        lacking = {r.evaluation_key for r in training.refiners} - state.evaluations
        if redo == "all":
            run.append(training)
        elif state.status == "done" and not lacking:
            done.append(training)
        elif state.status == "missing" or redo == "failed":
            run.append(training)
        elif state.status == "done" and not lacking <= state.failed_evaluations:
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
            commit(db, spec, outcome)
            count += 1
        except (ValueError, KeyError, TypeError) as error:
            aside = path.with_suffix(".rejected")
            path.rename(aside)
            log.warning("%s is no outcome of this database (%s); kept as %s", path, error, aside)
            continue
        path.unlink(missing_ok=True)
    return count


def run(
    db: Database,
    engine: LocalEngine,
    trainings: Sequence[TrainingSpec],
    *,
    on_epoch: Callable[[TrainingSpec, int], None],
    on_finished: Callable[[TrainingSpec, Outcome], None],
) -> Summary:
    """Run trainings and commit each as it ends; interrupting loses only what is in flight."""
    summary = Summary()
    finished = engine.run(trainings, on_epoch)
    try:
        for spec, outcome, path in finished:
            commit(db, spec, outcome)
            if path is not None:
                path.unlink(missing_ok=True)
            if outcome.problems:
                summary.failures.append((spec, outcome))
            else:
                summary.done += 1
            on_finished(spec, outcome)
    finally:
        finished.close()  # type: ignore[attr-defined]
    return summary
