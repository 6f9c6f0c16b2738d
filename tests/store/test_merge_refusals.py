"""Merging takes nothing that was tampered with, and leaves ours as it was when it fails."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from made_up_runs import MakeDatabase
from merge_case import (
    SMALL,
    here,
    merged,
    other_result,
    rows,
    there,
)

from bench.errors import StoreError
from bench.store import conflicts
from bench.store.check import problems
from bench.store.database import open_reader, open_writer


def test_a_result_whose_key_is_not_its_own_is_refused_and_the_rest_is_taken(
    make_small: MakeDatabase, tmp_path: Path
) -> None:
    theirs = make_small(here)
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute("UPDATE trainings SET spec = replace(spec, '\"seed\":1', '\"seed\":7')")
        connection.commit()
    found = merged(tmp_path / "new.db", theirs)
    assert found.verdicts == {"new": 4}
    assert {reason.partition(":")[0] for what, reason in found.refused} == {
        "spec.key (hash of what the training is)"
    }


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("UPDATE evaluations SET curve = '[[['", "damaged"),
        ("UPDATE evaluations SET curve = '[[1,NaN,0.5]]'", "not finite"),
        ("UPDATE artefacts SET labels = x'00'", "damaged"),
        ("UPDATE epochs SET test_accuracy = 7", "less than or equal to 1"),
        ("UPDATE attempts SET started_at = 'yesterday'", "started_at"),
        ("UPDATE evaluations SET evaluation_key = 'x'", "evaluation_key"),
        ("UPDATE environments SET cores = -1", "cores"),
        ("UPDATE trainings SET spec = CAST(x'7b2261ff22' AS TEXT)", "damaged"),
        ("UPDATE attempts SET error = CAST(x'ff' AS TEXT)", "half a character"),
        ("UPDATE datasets SET label = 'digits' || char(27) || '[2J'", "pattern"),
    ],
)
def test_a_database_that_was_tampered_with_is_refused_row_by_row(
    make_small: MakeDatabase, tmp_path: Path, damage: str, reason: str
) -> None:
    theirs = make_small(here, seeds=1)
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute(damage)
        connection.commit()
    found = merged(tmp_path / "new.db", theirs)
    assert found.verdicts == {}
    assert reason in "\n".join(text for _, text in found.refused)
    with closing(open_reader(tmp_path / "new.db")) as connection:
        assert problems(connection) == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE boards SET title = char(27) || '[2J'",
        "UPDATE boards SET spec = '[['",
        "UPDATE board_cells SET method = 'ce' || char(10) WHERE method = 'ce'",
        "UPDATE board_cells SET noise_params = '{\"a\": NaN}'",
    ],
)
def test_a_board_that_was_tampered_with_is_refused_and_its_trainings_are_taken(
    make_small: MakeDatabase, tmp_path: Path, damage: str
) -> None:
    theirs = make_small(here, seeds=1)
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute(damage)
        connection.commit()
    found = merged(tmp_path / "new.db", theirs)
    assert found.verdicts == {"new": 2}
    assert [what for what, _ in found.refused] == ["boards"]
    assert rows(tmp_path / "new.db", "SELECT * FROM boards") == []


def test_images_come_along_unless_they_are_none(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"x" * 20
    two_noises = SMALL.replace("[clean]", "[clean, {symmetric: {rate: 0.5}}]")
    theirs = make_database(here, seeds=1, suite=two_noises)
    (one, other) = rows(theirs, "SELECT artefact_sha FROM artefacts ORDER BY 1")
    with closing(sqlite3.connect(theirs)) as connection:
        for (sha,), picture in ((one, png), (other, b"<svg onload='alert(1)'>")):
            values = [sha, 0, 5, 1, 2, 0, picture]
            connection.execute("INSERT INTO artefact_examples VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        connection.commit()
    found = merged(tmp_path / "new.db", theirs)
    assert rows(tmp_path / "new.db", "SELECT artefact_sha, png FROM artefact_examples") == [
        (one[0], png)
    ]
    assert [what for what, _ in found.refused] == [f"images of artefact {other[0][:16]}"]


def test_a_database_with_a_view_in_place_of_a_table_is_refused(
    make_small: MakeDatabase, tmp_path: Path
) -> None:
    theirs = make_small(here, seeds=1)
    with closing(sqlite3.connect(theirs)) as connection:
        connection.executescript(
            "ALTER TABLE published RENAME TO p; CREATE VIEW published AS SELECT * FROM p;"
        )
    with pytest.raises(StoreError, match=r"lacks published\."):
        merged(tmp_path / "new.db", theirs)


def test_a_conflict_that_was_damaged_is_told_by_the_check(make_small: MakeDatabase) -> None:
    ours, theirs = make_small(here), make_small(other_result)
    merged(ours, theirs)
    with open_writer(ours) as db:
        (blob,) = db.execute("SELECT record FROM conflicts").fetchone()
        changed = conflicts.pack(conflicts.unpack(blob).replace(b"GPU there", b"GPU HERE!"))
        db.execute("UPDATE conflicts SET record = ?", [changed])
        db.conn.commit()
    with closing(open_reader(ours)) as connection:
        assert "a kept conflict is damaged" in problems(connection)[0]


def test_an_error_halfway_leaves_our_database_as_it_was(
    make_small: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = make_small(here, seeds=1), make_small(there)
    before = rows(ours, "SELECT * FROM attempts")

    def broken(*_: object) -> None:
        raise RuntimeError("the power went off")

    monkeypatch.setattr("bench.store.merge.merge_boards", broken)
    with pytest.raises(RuntimeError):
        merged(ours, theirs)
    assert rows(ours, "SELECT * FROM attempts") == before
