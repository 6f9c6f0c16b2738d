"""Databases of every past schema: they open, they are brought up to date whole, nothing is lost.

``schemas/mNNN.sqlite`` were written by LIPBench as it was after that step (the fifth by the fourth
and the step itself: both came at once): a run of four trainings on digits, one of them run twice,
with four published figures. Only their pages were made small.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from bench.errors import StoreError
from bench.store import database
from bench.store.check import problems
from bench.store.database import open_reader, open_writer
from bench.store.merge import merge
from bench.store.schema import migrations

SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.sqlite"))

KEPT = {
    "datasets": "*",
    "environments": "*",
    "protocols": "*",
    "plugins": "*",
    "trainings": "*",
    "attempts": "*",
    "selections": "*",
    "boards": "*",
    "board_excluded": "*",
    "artefacts": "artefact_sha, fingerprint, realised_rate, matrix, nominal, labels",
    "epochs": "training_id, epoch, train_loss, fit_given, fit_true, noisy_val_accuracy, "
    "test_accuracy, lr, wall_s",
    "spectra": "training_id, head, singular_values, effective_rank, refitted",
    "training_status": "*",
    "coverage": "*",
    "leaderboard": "*",
    "gains": "*",
    "results": "board, dataset, noise, method, seed, refiner, test_accuracy, noisy_val_accuracy, "
    "k, rank, curve, error, training_key, training_id",
    "board_trainings": "board, position, training_id, dataset, noise, noise_params, method",
    "board_evaluations": "board, position, refiner, evaluation_key",
}
"""Tables and views of the first step, with the columns that it had."""

LATER = {"published": "*", "artefact_examples": "*"}

EVALUATIONS = """
SELECT e.evaluation_key, e.training_id, {refiner}, e.test_accuracy, e.noisy_val_accuracy, e.k,
  e.rank, e.wall_s, e.curve, e.error FROM evaluations e {join}
"""

Rows = dict[str, list[tuple[object, ...]]]


def rows_of(connection: sqlite3.Connection) -> Rows:
    """All that a database of any schema says, by table."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    queries = {
        table: f"SELECT {columns} FROM {table}"
        for table, columns in (KEPT | LATER).items()
        if table in names
    }
    wide = "variants" not in names
    refiner = "e.refiner, e.params, e.source_sha" if wide else "v.refiner, v.params, v.source_sha"
    join = "" if wide else "JOIN variants v USING (variant)"
    queries["evaluations"] = EVALUATIONS.format(refiner=refiner, join=join)
    return {
        table: sorted((tuple(row) for row in connection.execute(query)), key=repr)
        for table, query in queries.items()
    }


@pytest.fixture(params=SCHEMAS, ids=lambda path: path.stem)
def past(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a database of a past schema."""
    return Path(shutil.copy(request.param, tmp_path / "past.db"))


@pytest.fixture
def said(past: Path) -> Rows:
    """What the database said before anything of today opened it."""
    uri = f"{past.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return rows_of(connection)


def same(before: Rows, after: Rows) -> dict[str, bool]:
    """By table: whether all that was said is said again."""
    return {table: after[table] == rows for table, rows in before.items()}


def test_there_is_a_database_of_every_step_but_the_last() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        steps = [step.name[:4] for step in migrations.pending(Database(connection))]
    assert [path.stem for path in SCHEMAS] == steps[:-1]


def test_it_is_of_the_step_that_it_is_named_by(past: Path, request: pytest.FixtureRequest) -> None:
    uri = f"{past.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        rows = connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id").fetchall()
    assert rows[-1][0][:4] in request.node.name


def test_it_holds_results(said: Rows) -> None:
    assert {table: len(said[table]) for table in ("trainings", "attempts", "evaluations")} == {
        "trainings": 4,
        "attempts": 5,
        "evaluations": 8,
    }


def test_a_reader_sees_all_of_it_and_leaves_the_file_as_it_is(past: Path, said: Rows) -> None:
    before = past.read_bytes()
    with closing(open_reader(past)) as connection:
        assert set(same(said, rows_of(connection)).values()) == {True}
        assert problems(connection) == []
    assert past.read_bytes() == before


def test_a_writer_brings_it_up_to_date_and_loses_nothing(past: Path, said: Rows) -> None:
    with open_writer(past) as db:
        assert migrations.pending(db) == []
        assert all(same(said, rows_of(db.conn)).values()), same(said, rows_of(db.conn))
        assert problems(db.conn) == []


def failing() -> Migrations:
    """All steps, and one that writes and then fails."""
    steps = Migrations(migrations.name)
    with closing(sqlite3.connect(":memory:")) as connection:
        for step in migrations.pending(Database(connection)):
            steps(name=step.name)(step.fn)

    @steps(name="m999_fails")
    def fails(db: Database) -> None:
        db.execute("DELETE FROM attempts")
        db.execute("INSERT INTO no_such_table VALUES (1)")

    return steps


def test_a_step_that_fails_leaves_the_file_byte_for_byte(
    past: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = past.read_bytes()
    monkeypatch.setattr(database, "migrations", failing())
    with pytest.raises(StoreError, match="no_such_table"), open_writer(past):
        pass
    assert past.read_bytes() == before
    wal = past.with_name("past.db-wal")
    assert not wal.exists() or wal.stat().st_size == 0


KILLED = """
import os, sys
from pathlib import Path
from sqlite_utils.migrations import Migrations
from bench.store import database

apply = database.migrations.apply
def apply_and_die(db):
    apply(db)
    os.kill(os.getpid(), 9)

database.migrations.apply = apply_and_die
with database.open_writer(Path(sys.argv[1])):
    pass
"""


@pytest.fixture
def oldest(tmp_path: Path) -> Path:
    """A copy of the database of the first step."""
    return Path(shutil.copy(SCHEMAS[0], tmp_path / "past.db"))


def test_a_process_that_is_killed_between_steps_leaves_the_old_database(oldest: Path) -> None:
    with closing(sqlite3.connect(oldest)) as connection:
        before = rows_of(connection)
    ended = subprocess.run([sys.executable, "-c", KILLED, str(oldest)], check=False)
    assert ended.returncode == -9
    with closing(sqlite3.connect(oldest)) as connection:
        steps = connection.execute("SELECT name FROM _sqlite_migrations").fetchall()
        assert rows_of(connection) == before
    assert steps == [("m001_results",)]
    with open_writer(oldest) as db:
        assert migrations.pending(db) == []


def test_it_can_be_merged_as_it_is(past: Path, said: Rows, tmp_path: Path) -> None:
    with open_writer(tmp_path / "new.db") as db, closing(open_reader(past)) as other:
        merged = merge(db, other, past.name)
        assert merged.refused == []
        assert merged.verdicts == {"new": 4}
        found = rows_of(db.conn)
    for table in ("datasets", "environments", "plugins", "boards", "leaderboard", "gains"):
        assert found[table] == said[table], table
    assert len(found["attempts"]) == len(said["attempts"])
