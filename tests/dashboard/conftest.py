"""Databases in every state, and pages that are opened on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import address as address
from browsing import browser as browser
from browsing import new_page as new_page
from browsing import serve as serve
from made_up_figures import beside as beside
from made_up_machines import machines as machines
from made_up_runs import Fate, MakeDatabase, done, ended, evaluation
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from bench.plan import Plan
from bench.records import Outcome, RidgeTwins, Spectrum
from bench.store.database import open_writer
from bench.training_spec import TrainingSpec
from dashboard import app, exports


@pytest.fixture(scope="session")
def full(make_database: MakeDatabase) -> Path:
    """Three methods, three noises, three seeds, all done."""
    return make_database()


@pytest.fixture(scope="session")
def holes(make_database: MakeDatabase) -> Path:
    """Co-teaching lacks a cell, GCE one seed of another, and one training of CE failed."""

    def fate(spec: TrainingSpec) -> Outcome | None:
        if spec.method == "co-teaching" and spec.noise.name == "pairflip":
            return None
        if spec.method == "gce" and spec.noise.name == "clean" and spec.seed == 2:
            return None
        if spec.method == "ce" and spec.noise.name == "symmetric" and spec.seed == 1:
            return ended(spec, "diverged", "the loss is not finite in epoch 3")
        return done(spec)

    return make_database(fate)


HOSTILE = ("<script>alert(1)</script>", "**x** $y$ :red[z]", "![a](http://b.invalid/c.png)")
"""Names that are code to a careless page."""


@pytest.fixture(scope="session")
def hostile(make_database: MakeDatabase) -> Path:
    """A board whose method, title and refiner names are code."""

    def change(plan: Plan) -> Plan:
        names = dict(zip(("ce", "gce", "co-teaching"), HOSTILE, strict=True))
        trainings = tuple(
            replace(
                training,
                method_label=names[training.method],
                refiners=tuple(
                    replace(r, label="*psp* `k`" if r.name == "psp" else r.label)
                    for r in training.refiners
                ),
            )
            for training in plan.trainings
        )
        suite = plan.suite.model_copy(update={"title": "# <b>Title</b> :smile: _x_"})
        return replace(plan, suite=suite, trainings=trainings)

    return make_database(change=change)


@pytest.fixture(scope="session")
def planned_only(make_database: MakeDatabase) -> Path:
    """Everything planned, nothing run."""
    return make_database(lambda _: None)


@pytest.fixture(scope="session")
def only_failures(make_database: MakeDatabase) -> Path:
    """Every training failed."""
    return make_database(lambda spec: ended(spec, "oom", f"out of memory at seed {spec.seed} <b>"))


@pytest.fixture(scope="session")
def one_seed(make_database: MakeDatabase) -> Path:
    """One seed: means, and no interval anywhere."""
    return make_database(seeds=1)


@pytest.fixture(scope="session")
def refused(make_database: MakeDatabase) -> Path:
    """Trainings that are fine and a refiner that is not: lip has no value at all."""

    def fate(spec: TrainingSpec) -> Outcome:
        errors = {"lip": "the head has rank 0"}
        return replace(
            done(spec),
            evaluations=tuple(evaluation(spec, r, errors.get(r.name, "")) for r in spec.refiners),
        )

    return make_database(fate)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which nothing was planned."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    with open_writer(path):
        pass
    return path


@pytest.fixture
def newer(empty: Path, tmp_path: Path) -> Path:
    """A database of a LIPBench to come."""
    path = tmp_path / "newer.db"
    path.write_bytes(empty.read_bytes())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)",
            ["lipbench", "m999_future", "2030-01-01"],
        )
    return path


@pytest.fixture(scope="session")
def write_synthetic() -> tuple[Fate, Callable[..., Outcome]]:
    """``done(spec)`` and ``ended(spec, status)``, for tests that make their own database."""
    return done, ended


@pytest.fixture(scope="session", autouse=True)
def _components() -> Iterator[None]:
    """AppTest asks every installed package for components, at every visit: once is enough."""
    found = manifest_scanner.scan_component_manifests()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", lambda: found)
        yield


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """``visit(db, page="leaderboard", **query)`` opens a page as a browser would."""

    def go(db: Path, page: str = "leaderboard", **query: str) -> AppTest:
        monkeypatch.setenv("LIPBENCH_DB", str(db))
        at = AppTest.from_file(app.__file__, default_timeout=60)
        at.query_params.update(query)
        # AppTest.switch_page knows pages that are files, and ours are functions.
        at._page_hash = calc_hash(page)
        at.run()
        assert not at.exception, at.exception[0].stack_trace
        return at

    return go


def spectrum(spec: TrainingSpec) -> Spectrum:
    """Made up: wrong labels turn the second direction into the third by half a radian."""
    angle = 0.0 if spec.noise.name == "clean" else 0.5 + 0.01 * spec.seed
    right = np.eye(10)
    right[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    values = tuple(float(v) for v in np.linspace(2, 1, 10))
    sines = (0.1,) * 10
    return Spectrum(
        head=0,
        singular_values=values,
        effective_rank=8.0 - angle,
        right=tuple(map(tuple, right.tolist())),
        ridge=RidgeTwins(1.0, 3.0, 2.0, 4.0, values, values, sines),
    )


@pytest.fixture
def turned(make_database: MakeDatabase) -> Path:
    """A database whose heads have vectors."""
    return make_database(lambda spec: replace(done(spec), spectra=(spectrum(spec),)))


@pytest.fixture(scope="session")
def golden() -> Path:
    """Real results of three boards, one of them on two data sets: see ``tests/golden``."""
    return Path(__file__).parents[1] / "golden" / "leaderboard.db"


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], str | bytes]]:
    """What makes each file that a page offers, by the file's name; filled by every visit."""
    found: dict[str, Callable[[], str | bytes]] = {}
    button = exports.st.download_button

    def tap(label: str, data: Callable[[], str | bytes], **settings: Any) -> bool:
        found[settings["file_name"]] = data
        return bool(button(label, data, **settings))

    monkeypatch.setattr(exports.st, "download_button", tap)
    return found


@pytest.fixture(scope="session")
def said() -> Callable[[AppTest], str]:
    """``said(at)``: everything a page says outside its tables and charts."""
    kinds = ("header", "subheader", "markdown", "caption", "info", "warning", "error", "code")
    return lambda at: "\n".join(element.value for kind in kinds for element in at.get(kind))
