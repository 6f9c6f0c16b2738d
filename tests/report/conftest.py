"""Databases of one made-up board, and what a report reads of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_runs import MakeDatabase
from tiny_board import BEHIND, HOSTILE, SUITE, done, ended

from bench.plan import Plan
from bench.records import Outcome
from bench.report.content import Content, read
from bench.store import reader
from bench.store.database import open_reader
from bench.training_spec import TrainingSpec


@pytest.fixture(scope="session")
def make_database(make_database: MakeDatabase) -> MakeDatabase:
    """``make_database(fate, change=None)``: a database with the board of these tests."""
    return lambda fate=done, **more: make_database(fate, suite=SUITE, **more)


@pytest.fixture(scope="session")
def full(make_database: MakeDatabase) -> Path:
    """Four methods, eight noises, two seeds, all done."""
    return make_database()


@pytest.fixture(scope="session")
def holes(make_database: MakeDatabase) -> Path:
    """ELR lacks pairflip 0.4, GCE one seed of clean, and CE failed once under symmetric 0.5."""

    def fate(spec: TrainingSpec) -> Outcome | None:
        if spec.method == "elr" and spec.noise.label == "pairflip 0.4":
            return None
        if spec.method == "gce" and spec.noise.name == "clean" and spec.seed == 1:
            return None
        if spec.method == "ce" and spec.noise.label == "symmetric 0.5" and spec.seed == 1:
            return ended(spec, "diverged")
        return done(spec)

    return make_database(fate)


@pytest.fixture(scope="session")
def hostile(make_database: MakeDatabase) -> Path:
    """A board whose method, refiner and title are code."""

    def change(plan: Plan) -> Plan:
        names = dict(zip(BEHIND, HOSTILE, strict=True))
        trainings = tuple(
            replace(
                training,
                method_label=names[training.method],
                refiners=tuple(
                    replace(r, label="lip(<b>)" if r.name == "lip" else r.label)
                    for r in training.refiners
                ),
            )
            for training in plan.trainings
        )
        suite = plan.suite.model_copy(update={"title": "</title><script>alert(3)</script>"})
        return replace(plan, suite=suite, trainings=trainings)

    return make_database(change=change)


@pytest.fixture(scope="session")
def content_of() -> Callable[[Path], Content]:
    """``content_of(db)``: what a report reads of its only board."""

    def find(db: Path) -> Content:
        with closing(open_reader(db)) as connection:
            return read(connection, reader.find_board(connection, "tiny", None), db)

    return find
