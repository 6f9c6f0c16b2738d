"""What the database keeps of labels, and a database of before it did."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlite_utils import Database

from bench.data.audit import Example
from bench.stats.noise import by_block
from bench.store import audit
from bench.store.database import open_reader, open_writer
from bench.store.schema import PUBLISHED, TABLES, VIEWS


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database as the second schema had it, with one artefact in it."""
    path = tmp_path / "old.db"
    db = Database(sqlite3.connect(path))
    db.executescript(TABLES + VIEWS + PUBLISHED)
    from bench.store.schema import migrations

    fresh = Database(memory=True)
    migrations.apply(fresh)
    applied = list(fresh["_sqlite_migrations"].rows)
    db["_sqlite_migrations"].insert_all(
        [row for row in applied if "audit" not in row["name"]], pk=("migration_set", "name")
    )
    db.execute("INSERT INTO datasets VALUES ('f', 'digits', 'digits', 10, 5, '[\"a\"]', '[]', 1)")
    db.execute(
        "INSERT INTO artefacts VALUES ('s', 'f', 0.25, '[[0.75, 0.25], [0, 1]]', NULL, x'00')"
    )
    db.conn.commit()
    db.close()
    return path


def test_an_old_database_is_brought_up_to_date_without_loss(old: Path) -> None:
    with open_writer(old) as db:
        row = next(db.query("SELECT * FROM artefacts"))
        assert row["realised_rate"] == 0.25
        assert json.loads(row["matrix"]) == [[0.75, 0.25], [0, 1]]
        assert row["open_rate"] == 0
        assert row["candidates"] is None
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_an_old_database_is_read_as_if_it_were_of_today_and_stays_as_it_is(old: Path) -> None:
    before = old.read_bytes()
    with closing(open_reader(old)) as connection:
        (rate,) = connection.execute("SELECT realised_rate FROM artefacts").fetchone()
        assert rate == 0.25
        assert audit.examples(connection, ["s"]).empty
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM artefacts")
    assert old.read_bytes() == before


def test_unknown_truth_is_stored_as_nothing(tmp_path: Path) -> None:
    with open_writer(tmp_path / "new.db") as db:
        db.execute("INSERT INTO datasets VALUES ('f', 'x', 'x', 10, 5, '[\"a\"]', '[]', 1)")
        db.table("artefacts").insert(
            {
                "artefact_sha": "s",
                "fingerprint": "f",
                "realised_rate": None,
                "matrix": None,
                "labels": b"",
            }
        )
        found = [Example(3, None, True, 0, b"png"), Example(4, 0, False, 1, b"png")]
        audit.write_examples(db, "s", found)
        audit.write_examples(db, "s", found)
        rows = audit.examples(db.conn, ["s"])
        assert rows["is_foreign"].tolist() == [1, 0]
        assert audit.with_examples(db.conn) == {"s"}


def test_rates_are_averaged_over_seeds_and_unknown_ones_stay_unknown() -> None:
    import pandas as pd

    frame = pd.DataFrame(
        [
            {
                "dataset": "d",
                "noise": noise,
                "seed": seed,
                "artefact_sha": f"{noise}{seed if noise == 'a' else ''}",
                "n_train": 100,
                "n_classes": 2,
                "noise_params": {"rate": 0.3},
                "realised_rate": rate,
                "open_rate": 0.0,
                "mean_set_size": np.nan,
                "nominal": nominal,
            }
            for noise, rates, nominal in (
                ("a", (0.28, 0.34), [[0.6, 0.4], [0.0, 1.0]]),
                ("b", (np.nan, np.nan), None),
            )
            for seed, rate in enumerate(rates)
        ]
    )
    known, unknown = by_block(frame).to_dict("records")
    assert known["realised"] == pytest.approx(0.31)
    assert (known["lowest"], known["highest"]) == (0.28, 0.34)
    assert known["nominal"] == pytest.approx(0.2)
    assert (known["distinct"], unknown["distinct"]) == (2, 1)
    assert np.isnan(unknown["realised"])
    assert unknown["nominal"] == 0.3
