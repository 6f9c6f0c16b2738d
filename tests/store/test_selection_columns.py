"""What the database keeps of a method's selection, and a database of before it did."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database
from typer.testing import CliRunner

from bench.cli import application
from bench.records import EpochRecord, Outcome
from bench.store import writer
from bench.store.database import open_writer
from bench.store.schema import AUDIT, PUBLISHED, SPECTRA, TABLES, VIEWS, migrations

COLUMNS = ("selected_share", "selection_precision", "selection_recall")
OLDER = ("m001_results", "m002_published", "m003_audit", "m004_spectra")

SPEC = {
    "method_label": "co-teaching",
    "method_params": {},
    "dataset": "digits",
    "fingerprint": "f",
    "noise": {"label": "symmetric 0.5", "artefact_sha": "s"},
    "seed": 0,
}

TRAINING = f"""
INSERT INTO datasets VALUES ('f', 'digits', 'digits', 10, 5, '["a"]', '[]', 1);
INSERT INTO artefacts (artefact_sha, fingerprint, realised_rate, matrix, labels)
  VALUES ('s', 'f', 0.25, '[[1]]', x'00');
INSERT INTO protocols VALUES ('p', '{{}}');
INSERT INTO trainings VALUES (1, 'key', 'f', 's', 'p', 'ce', '{{}}', 'sha', 0,
  '{json.dumps(SPEC)}');
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database as the fourth schema had it, with one epoch in it."""
    path = tmp_path / "old.db"
    db = Database(sqlite3.connect(path))
    db.executescript(TABLES + VIEWS + PUBLISHED + AUDIT + SPECTRA + TRAINING)
    fresh = Database(memory=True)
    migrations.apply(fresh)
    applied = [row for row in fresh["_sqlite_migrations"].rows if row["name"] in OLDER]
    assert len(applied) == len(OLDER)
    db["_sqlite_migrations"].insert_all(applied, pk=("migration_set", "name"))
    db.execute("INSERT INTO epochs VALUES (1, 1, 0.5, 0.6, 0.7, 0.8, 0.9, 0.1, 2.0, NULL)")
    db.conn.commit()
    db.close()
    return path


def test_an_old_database_keeps_its_epochs_and_knows_of_no_selection(old: Path) -> None:
    with open_writer(old) as db:
        (row,) = db.query("SELECT * FROM epochs")
        assert (row["train_loss"], row["test_accuracy"], row["wall_s"]) == (0.5, 0.9, 2.0)
        assert [row[name] for name in COLUMNS] == [None] * 3


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A database with two epochs, of which the second has a selection."""
    plain = EpochRecord(1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.1, 1.0)
    selecting = EpochRecord(2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.1, 2.0, None, 0.5, 0.75, 0.25)
    outcome = Outcome("key", "failed", "", 1.0, "cpu", "fp32", 1, None, epochs=(plain, selecting))
    path = tmp_path / "new.db"
    with open_writer(path) as db:
        db.executescript(TRAINING)
        writer.commit(db, type("Spec", (), {"key": "key"}), outcome)  # type: ignore[arg-type]
    return path


def test_figures_are_stored_with_their_epoch(new: Path) -> None:
    with open_writer(new) as db:
        rows = list(db.query("SELECT * FROM epochs ORDER BY epoch"))
    assert [[row[name] for name in COLUMNS] for row in rows] == [[None] * 3, [0.5, 0.75, 0.25]]


def test_a_training_is_shown_with_its_selection_only_where_it_has_one(old: Path, new: Path) -> None:
    with open_writer(old):
        pass
    wide = {"COLUMNS": "160"}
    without, having = (
        CliRunner().invoke(application([]), ["show", "key", "--db", str(path)], env=wide)
        for path in (old, new)
    )
    assert (without.exit_code, having.exit_code) == (0, 0)
    assert "precision" not in without.output.partition("Epochs")[2]
    assert all(title in having.output for title in ("selected", "precision", "recall"))
    assert "0.7500" in having.output
