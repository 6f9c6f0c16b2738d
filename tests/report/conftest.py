"""Databases of one made-up board, built through the real writer below pytest's folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_board import BEHIND, HOSTILE, NOISES, SUITE, done, ended

from bench.plan import Plan, make_plan
from bench.records import Outcome, TrainingSpec
from bench.registry import Registry
from bench.report.content import Content, read
from bench.spec import load_suite
from bench.store import reader
from bench.store.database import open_reader, open_writer
from bench.store.plans import record_plan
from bench.store.writer import commit

Fate = Callable[[TrainingSpec], Outcome | None]
MakeDatabase = Callable[..., Path]


@pytest.fixture(scope="session")
def make_database(
    tmp_path_factory: pytest.TempPathFactory, registry: Registry, data_dir: Path
) -> MakeDatabase:
    """``make_database(fate, change)``: a database with one board."""

    def make(fate: Fate = done, change: Callable[[Plan], Plan] = lambda plan: plan) -> Path:
        folder = tmp_path_factory.mktemp("report")
        items = [name if rate is None else f"{{{name}: {{rate: {rate}}}}}" for name, rate in NOISES]
        text = SUITE.replace("NOISES", ", ".join(items))
        (folder / "tiny.yaml").write_text(text, encoding="utf-8")
        plan = change(
            make_plan(load_suite(str(folder / "tiny.yaml"), None, registry), registry, data_dir)
        )
        with open_writer(folder / "some.db") as db:
            record_plan(db, plan, registry)
            for training in plan.trainings:
                outcome = fate(training)
                if outcome is not None:
                    commit(db, training, outcome)
        return folder / "some.db"

    return make


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
