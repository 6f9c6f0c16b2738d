"""Published figures in a results database: in as a whole, again without effect, or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from bench.errors import DataError, StoreError
from bench.published.figures import COLUMNS
from bench.published.importing import SHIPPED, fill, import_file
from bench.store import published
from bench.store.check import problems
from bench.store.database import open_reader, open_writer
from bench.store.schema import migrations

ROW = "CE,CIFAR-10,sym-excl,0.5,ResNet34,200,last,{},,A paper,verified in A paper"


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
    return path


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "results.db"
    with open_writer(path):
        pass
    return path


def test_the_shipped_figures_are_imported_and_unverified_ones_flagged(db: Path) -> None:
    with open_writer(db) as database:
        figures, done = import_file(database, SHIPPED[0])
        assert (done.added, done.removed, done.kept) == (2349, 0, 0)
        counts = database.execute("SELECT count(*), sum(verified) FROM published").fetchone()
    assert counts == (2349, 2331)
    with closing(open_reader(db)) as connection:
        frame = published.figures(connection)
        assert problems(connection) == []
    assert len(frame) == len(figures) == 2349
    assert frame.loc[~frame["verified"], "verification"].unique().tolist() == [
        "recalled, unverified"
    ]


def test_the_same_file_again_changes_nothing(db: Path) -> None:
    with open_writer(db) as database:
        import_file(database, SHIPPED[0])
    before = dump(db)
    with open_writer(db) as database:
        _, done = import_file(database, SHIPPED[0])
    assert (done.added, done.removed, done.kept) == (0, 0, 2349)
    assert dump(db) == before


def test_a_changed_file_replaces_its_own_rows_and_no_others(db: Path, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.csv", ROW.format(60), ROW.format(70).replace("0.5", "0.2"))
    with open_writer(db) as database:
        import_file(database, SHIPPED[0])
        import_file(database, mine)
        write(mine, ROW.format(61), ROW.format(70).replace("0.5", "0.2"))
        _, done = import_file(database, mine)
        assert (done.added, done.removed, done.kept) == (1, 1, 1)
        found = database.execute(
            "SELECT accuracy FROM published WHERE file = 'mine.csv' ORDER BY line"
        ).fetchall()
        assert found == [(61.0,), (70.0,)]
        assert database.execute("SELECT count(*) FROM published").fetchone() == (2351,)


def test_a_file_with_a_mistake_leaves_the_database_as_it_was(db: Path, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.csv", ROW.format(60))
    with open_writer(db) as database:
        import_file(database, mine)
    before = dump(db)
    write(mine, ROW.format(61), ROW.format(101).replace("CE,", "GCE,"))
    with pytest.raises(DataError), open_writer(db) as database:
        import_file(database, mine)
    assert dump(db) == before


def test_a_write_that_fails_midway_leaves_the_database_as_it_was(db: Path, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.csv", ROW.format(60))
    with open_writer(db) as database:
        import_file(database, mine)
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON published WHEN NEW.accuracy = 62 "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    before = dump(db)
    write(mine, ROW.format(61), ROW.format(62).replace("CE,", "GCE,"))
    with pytest.raises(StoreError, match="disk full"), open_writer(db) as database:
        import_file(database, mine)
    assert dump(db) == before


def test_a_contradiction_of_another_file_is_told_and_nothing_written(
    db: Path, tmp_path: Path
) -> None:
    with open_writer(db) as database:
        import_file(database, write(tmp_path / "one.csv", ROW.format(60)))
        with pytest.raises(DataError, match=r"two.csv:2: contradicts one.csv:2"):
            import_file(database, write(tmp_path / "two.csv", ROW.format(61)))
        assert database.execute("SELECT count(*) FROM published").fetchone() == (1,)


def test_a_figure_that_two_files_hold_is_shown_once(db: Path, tmp_path: Path) -> None:
    with open_writer(db) as database:
        import_file(database, write(tmp_path / "one.csv", ROW.format(60)))
        import_file(database, write(tmp_path / "two.csv", ROW.format(60)))
        assert len(published.figures(database.conn)) == 1
        import_file(database, write(tmp_path / "two.csv", ROW.format(70).replace("CE,", "GCE,")))
        assert published.figures(database.conn)["accuracy"].tolist() == [60.0, 70.0]


def test_an_empty_table_is_filled_once_and_own_figures_are_left_alone(
    db: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), open_writer(db) as database:
        assert fill(database)
        assert not fill(database)
    assert caplog.text.count("2367 published figures were imported") == 1
    own = tmp_path / "own.db"
    with open_writer(own) as database:
        import_file(database, write(tmp_path / "mine.csv", ROW.format(60)))
        assert not fill(database)


def test_a_database_of_before_the_table_is_migrated_with_its_results(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = Database(path)
    migrations.apply(old, stop_before="m002_published")
    assert "published" not in old.table_names()
    old.execute("INSERT INTO protocols VALUES ('p', '{}')")
    old.conn.commit()
    old.close()
    with closing(open_reader(path)) as connection:
        assert published.figures(connection).empty
        assert problems(connection) == []
    with open_writer(path) as database:
        assert database.execute("SELECT * FROM protocols").fetchall() == [("p", "{}")]
        assert fill(database)


@pytest.mark.parametrize("column", ["accuracy = 101", "std = -1", "verified = 2"])
def test_the_table_itself_refuses_what_cannot_be(db: Path, column: str) -> None:
    with open_writer(db) as database:
        import_file(database, SHIPPED[0])
    with pytest.raises(StoreError, match="CHECK"), open_writer(db) as database:
        database.execute(f"UPDATE published SET {column}")


def test_the_check_finds_a_figure_that_was_changed_by_hand(db: Path) -> None:
    with open_writer(db) as database:
        import_file(database, SHIPPED[0])
        with database.conn:
            database.execute("UPDATE published SET accuracy = 99 WHERE line = 7")
    with closing(open_reader(db)) as connection:
        assert problems(connection) == [
            "a published figure was changed after its import: figures.csv:7"
        ]
