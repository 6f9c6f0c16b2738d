"""Opening, migrating, refusing and checking a results database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bench.errors import StoreError
from bench.store.check import problems
from bench.store.database import open_reader, open_writer, peek


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "results.db"
    with open_writer(path):
        pass
    return path


def test_a_new_database_has_strict_tables_and_write_ahead_logging(empty: Path) -> None:
    connection = sqlite3.connect(empty)
    tables = connection.execute(
        "SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND schema = 'main' "
        "AND substr(name, 1, 1) <> '_' AND substr(name, 1, 6) <> 'sqlite'"
    ).fetchall()
    assert len(tables) >= 14
    assert [name for name, strict in tables if not strict] == []
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_foreign_keys_are_enforced(empty: Path) -> None:
    with (
        pytest.raises(StoreError, match="FOREIGN KEY"),
        open_writer(empty) as db,
    ):
        db.execute("INSERT INTO spectra VALUES (99, 0, '[]', 1.0, '{}', NULL, NULL)")


def test_a_strict_table_refuses_a_value_of_another_type(empty: Path) -> None:
    with pytest.raises(StoreError, match="cannot store TEXT"), open_writer(empty) as db:
        db.execute("INSERT INTO datasets VALUES ('f', 'n', 'l', 'many', 1, '[]', '[]', 1)")


def test_opening_again_changes_nothing(empty: Path) -> None:
    before = sqlite3.connect(empty).execute("SELECT sql FROM sqlite_master").fetchall()
    with open_writer(empty):
        pass
    assert sqlite3.connect(empty).execute("SELECT sql FROM sqlite_master").fetchall() == before


def test_a_reader_cannot_write(empty: Path) -> None:
    connection = open_reader(empty)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM boards")
    connection.execute("PRAGMA query_only = OFF")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM boards")
    connection.close()


def test_a_second_writer_is_refused_and_told_who_writes(empty: Path) -> None:
    import os

    with (
        open_writer(empty),
        pytest.raises(StoreError, match=rf"another run \(pid {os.getpid()}"),
        open_writer(empty),
    ):
        pass


def test_a_reader_sees_what_a_writer_committed_while_it_is_open(empty: Path) -> None:
    with open_writer(empty) as db:
        db.execute("INSERT INTO protocols VALUES ('p', '{}')")
        connection = open_reader(empty)
        assert connection.execute("SELECT count(*) FROM protocols").fetchone()[0] == 1
        connection.close()


def test_a_failed_transaction_leaves_nothing(empty: Path) -> None:
    with open_writer(empty) as db:

        def write_and_fail() -> None:
            with db.atomic():
                db.execute("INSERT INTO protocols VALUES ('p', '{}')")
                db.execute("INSERT INTO no_such_table VALUES (1)")

        with pytest.raises(sqlite3.OperationalError):
            write_and_fail()
        assert db.execute("SELECT count(*) FROM protocols").fetchone() == (0,)


def test_a_newer_schema_is_refused(empty: Path) -> None:
    connection = sqlite3.connect(empty)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('lipbench', 'm999_future', '2030-01-01')"
    )
    connection.commit()
    connection.close()
    before = empty.read_bytes()
    for opened in (open_writer, peek):
        with pytest.raises(StoreError, match=r"newer LIPBench .*m999_future"), opened(empty):
            pass
    assert empty.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("my notes")
    for opened in (open_writer, peek):
        with pytest.raises(StoreError, match="not a SQLite database"), opened(path):
            pass
    assert path.read_text() == "my notes"


def test_somebody_elses_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    for opened in (open_writer, peek):
        with pytest.raises(StoreError, match="not of LIPBench"), opened(path):
            pass
    tables = sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("theirs",)]


def test_a_truncated_database_is_refused(empty: Path) -> None:
    empty.write_bytes(empty.read_bytes()[:5000])
    with pytest.raises(StoreError, match=r"damaged|malformed|disk image"), peek(empty):
        pass


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"), open_writer(tmp_path):
        pass


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose another"), open_writer(tmp_path / "file" / "x.db"):
        pass


def test_a_database_that_does_not_exist_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="python -m bench run digits"):
        open_reader(tmp_path / "absent.db")


def test_looking_at_a_database_that_does_not_exist_finds_an_empty_one(tmp_path: Path) -> None:
    with peek(tmp_path / "absent.db") as connection:
        assert connection.execute("SELECT count(*) FROM boards").fetchone()[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_sound_database_has_no_problems(empty: Path) -> None:
    connection = open_reader(empty)
    assert problems(connection) == []
    connection.close()


def test_the_check_finds_results_that_do_not_add_up(empty: Path) -> None:
    connection = sqlite3.connect(empty)
    connection.executescript(
        """
        INSERT INTO datasets VALUES ('f', 'digits', 'digits', 10, 5, '[]', '[]', 1);
        INSERT INTO artefacts (artefact_sha, fingerprint, realised_rate, matrix, labels)
          VALUES ('a', 'f', 1.5, '[]', x'00');
        INSERT INTO protocols VALUES ('p', '{}');
        INSERT INTO trainings VALUES (1, 'k1', 'f', 'a', 'p', 'ce', '{}', 's', 0, '{}');
        INSERT INTO variants VALUES (1, 'lip', '{}', 's');
        INSERT INTO evaluations VALUES (1, 1, 'e', 0.5, 0.5, 4, 10, 0.1, '[[1, 0.5, 0.5]]', '');
        INSERT INTO spectra VALUES (77, 0, '[]', 1.0, '{}', NULL, NULL);
        """
    )
    connection.close()
    reader = open_reader(empty)
    found = "\n".join(problems(reader))
    reader.close()
    assert "spectra" in found
    assert "a training has evaluations but is not done: k1" in found
    assert "a realised noise rate is outside 0..1: a" in found
    assert "a chosen k is not on its curve: e" in found
