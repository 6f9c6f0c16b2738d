"""A small suite as two machines ran it, and what there is after a merge."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from made_up_runs import done

from bench.records import Environment, Outcome
from bench.store.check import problems
from bench.store.conflict_list import Conflict, listed
from bench.store.database import open_reader, open_writer
from bench.store.merge import Merged, merge
from bench.training_spec import TrainingSpec

SMALL = """
suite: tiny
datasets: [digits]
noises: [clean]
methods: [ce, gce]
refiners: [off, lip, psp]
seeds: SEEDS
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 12, batch_size: 256}
"""
"""Six trainings at three seeds."""


HERE = Environment("a" * 40, False, "3.11.7", "Linux", "CPU here", 2, "", {"torch": "2.6.0"})

THERE = replace(HERE, git_commit="b" * 40, cpu="CPU there", accelerator="GPU there")


def here(spec: TrainingSpec) -> Outcome:
    """A result of this machine."""
    return replace(done(spec), environment=HERE)


def there(spec: TrainingSpec) -> Outcome:
    """The same result of another machine, which took longer."""
    found = done(spec)
    return replace(
        found,
        environment=THERE,
        wall_s=found.wall_s + 10,
        started_at="2026-01-03T00:00:00+00:00",
        log="runs/there/logs/some.log",
        epochs=tuple(replace(epoch, wall_s=epoch.wall_s + 1) for epoch in found.epochs),
        evaluations=tuple(replace(e, wall_s=e.wall_s + 1) for e in found.evaluations),
    )


def is_odd(spec: TrainingSpec) -> bool:
    """The one training on which machines differ in these tests."""
    return (spec.method, spec.noise.name, spec.seed) == ("gce", "clean", 1)


def other_result(spec: TrainingSpec) -> Outcome:
    """As ``there``; one training ended a ten-thousandth better at the last epoch."""
    found = there(spec)
    if not is_odd(spec):
        return found
    last = replace(found.epochs[-1], test_accuracy=found.epochs[-1].test_accuracy + 1e-4)
    off = replace(found.evaluations[0], test_accuracy=last.test_accuracy)
    return replace(
        found,
        epochs=(*found.epochs[:-1], last),
        evaluations=(off, *found.evaluations[1:]),
    )


def merged(into: Path, other: Path) -> Merged:
    """Merge and say what it came to."""
    with open_writer(into) as db, closing(open_reader(other)) as connection:
        return merge(db, connection, other.name)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a query finds in a database."""
    with closing(open_reader(path)) as connection:
        return sorted((tuple(row) for row in connection.execute(sql)), key=repr)


RESULTS = "SELECT * FROM results"

EPOCHS = """
SELECT t.training_key, e.epoch, e.train_loss, e.test_accuracy, e.wall_s
FROM epochs e JOIN trainings t ON t.id = e.training_id
"""

SELECTIONS = """
SELECT t.training_key, s.selector, s.epoch, s.test_accuracy
FROM selections s JOIN trainings t ON t.id = s.training_id
"""


def kept(path: Path) -> list[Conflict]:
    """Conflicts of a database."""
    with closing(open_reader(path)) as connection:
        assert problems(connection) == []
        return listed(connection)
