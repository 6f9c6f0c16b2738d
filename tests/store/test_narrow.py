"""The sixth migration: the same results in fewer pages, and nothing planned is lost that is known.

Databases of the fourth step are made with the first four migrations, as an older version made them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlite_utils import Database

from bench.store.database import open_reader, open_writer
from bench.store.schema import migrations

GOLDEN = Path(__file__).parents[1] / "golden" / "leaderboard.db"

VIEWS = {
    "results": "board, dataset, noise, method, seed, refiner, test_accuracy, noisy_val_accuracy, "
    "k, rank, curve, error, training_key, training_id",
    "leaderboard": "board, dataset, noise, method, refiner, seeds, test_accuracy, lowest, highest",
    "gains": "board, dataset, noise, method, refiner, seed, gain, off_accuracy, on_accuracy",
    "coverage": "board, dataset, noise, method, status, trainings",
    "training_status": "training_id, training_key, status, attempts",
}
"""View -> the columns that it had before the step."""

Rows = dict[str, list[tuple[object, ...]]]


def rows_of(connection: sqlite3.Connection) -> Rows:
    """Everything that the views say, in one order."""
    return {
        view: sorted(
            (tuple(row) for row in connection.execute(f"SELECT {columns} FROM {view}")), key=repr
        )
        for view, columns in VIEWS.items()
    }


def migrated(path: Path) -> Rows:
    """What the views say after the database was opened to be written."""
    with open_writer(path) as db:
        return rows_of(db.conn)


@dataclass
class Before:
    """A database of the fourth step, filled by hand.

    Attributes:
        path: the file, with no table until ``with`` is entered.
    """

    path: Path
    db: Database = field(init=False)

    def __enter__(self) -> Before:
        self.db = Database(sqlite3.connect(self.path))
        migrations.apply(self.db, stop_before="m005_selection")
        self._run("INSERT INTO datasets VALUES ('f', 'digits', 'digits', 10, 10, '[]', '[]', 1)")
        self._run(
            "INSERT INTO artefacts (artefact_sha, fingerprint, realised_rate, labels) "
            "VALUES ('a', 'f', 0.0, x'')"
        )
        self._run("INSERT INTO protocols VALUES ('p', '{}')")
        return self

    def __exit__(self, *_: object) -> None:
        self.db.conn.commit()
        self.db.close()

    def _run(self, sql: str, values: list[object] | None = None) -> None:
        self.db.conn.execute(sql, values or [])

    def board(self, name: str) -> None:
        """A board without trainings."""
        self._run(
            "INSERT INTO boards VALUES (?, ?, '', ?, 'digits', 'p', '2026-01-01', '{}')",
            [name, name, name],
        )

    def training(self, number: int, method: str, seed: int, status: str | None = "done") -> None:
        """A training with one attempt, or with none."""
        self._run(
            "INSERT INTO trainings VALUES (?, ?, 'f', 'a', 'p', ?, '{}', 's', ?, '{}')",
            [number, f"key-{number}", method, seed],
        )
        if status is not None:
            self._run(
                "INSERT INTO attempts VALUES (?, 1, ?, '2026-01-01', 1.0, 1.0, 1, 1, 1, 'cpu', "
                "'fp32', 1, NULL, '', '', '')",
                [number, status],
            )

    def asked(self, board: str, position: int, training: int, noise: str, method: str) -> None:
        """A training that a board asks for."""
        self._run(
            "INSERT INTO board_trainings VALUES (?, ?, ?, 'digits', ?, ?, ?)",
            [board, position, training, noise, json.dumps({"name": noise}), method],
        )

    def refined(self, board: str, position: int, refiner: str, key: str) -> None:
        """An evaluation that a board asks for."""
        self._run(
            "INSERT INTO board_evaluations VALUES (?, ?, ?, ?)", [board, position, refiner, key]
        )

    def evaluated(
        self,
        key: str,
        training: int,
        refiner: str,
        accuracy: float | None,
        source: str = "new",
        params: str = "{}",
    ) -> None:
        """An evaluation that was made; without an accuracy it was refused."""
        self._run(
            "INSERT INTO evaluations "
            "VALUES (?, ?, ?, ?, ?, ?, 0.5, 3, 10, 0.25, '[[1,0.5,0.5]]', ?)",
            [key, training, refiner, params, source, accuracy, "" if accuracy else "rank 0"],
        )


Fill = Callable[[Before], None]


@pytest.fixture
def before(tmp_path: Path) -> Callable[[Fill], Path]:
    """``before(fill)``: a database of the fourth step."""

    def make(fill: Fill) -> Path:
        path = tmp_path / "before.db"
        with Before(path) as made:
            fill(made)
        return path

    return make


def every_kind(made: Before) -> None:
    """Two boards that share trainings, some cells of one without a refiner, one refused."""
    made.board("one")
    made.board("two")
    for number, (method, seed, status) in enumerate(
        [
            *(("ce", 0, "done"), ("ce", 1, "done"), ("ce", 2, None)),
            *(("elr", 0, "done"), ("elr", 1, "failed")),
        ]
    ):
        made.training(number + 1, method, seed, status)
        made.asked("one", number, number + 1, "clean", method)
        made.refined("one", number, "off", f"off-{number + 1}")
        if method == "ce":
            made.refined("one", number, "lip", f"lip-{number + 1}")
    for position, number in enumerate([1, 2]):
        made.asked("two", position, number, "clean", "cross-entropy")
        made.refined("two", position, "off", f"off-{number}")
        made.refined("two", position, "lip(k=3)", f"lip3-{number}")
    for number, accuracy in ((1, 0.5), (2, 0.625), (4, 0.75)):
        made.evaluated(f"off-{number}", number, "off", accuracy)
    made.evaluated("lip-1", 1, "lip", 0.5625)
    made.evaluated("lip-2", 2, "lip", None)
    for number in (1, 2):
        made.evaluated(f"lip3-{number}", number, "lip", 0.875, params='{"k":3}')
        made.evaluated(f"old-{number}", number, "lip", 0.125, source="old")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_says_the_same_after_the_step(before: Callable[[Fill], Path], view: str) -> None:
    path = before(every_kind)
    with closing(sqlite3.connect(path)) as connection:
        said = rows_of(connection)[view]
    assert said
    assert migrated(path)[view] == said


@pytest.fixture
def golden_before(tmp_path: Path) -> Path:
    """The golden database as the fourth step would hold it: real results of three boards."""
    path = tmp_path / "golden.db"
    db = Database(sqlite3.connect(path))
    migrations.apply(db, stop_before="m005_selection")
    db.conn.execute("ATTACH ? AS new", [f"{GOLDEN.resolve()}"])
    same = ("datasets", "protocols", "plugins", "trainings", "attempts", "boards", "board_excluded")
    for table in same:
        db.conn.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")
    db.conn.executescript(
        """
        INSERT INTO artefacts (artefact_sha, fingerprint, realised_rate, open_rate, labels)
          SELECT artefact_sha, fingerprint, realised_rate, open_rate, labels FROM new.artefacts;
        INSERT INTO board_trainings
          SELECT board, position, training_id, dataset, noise, noise_params, method
          FROM new.board_trainings;
        INSERT INTO board_evaluations
          SELECT board, position, refiner, evaluation_key FROM new.board_evaluations
          WHERE evaluation_key IS NOT NULL;
        INSERT INTO evaluations
          SELECT e.evaluation_key, e.training_id, v.refiner, v.params, v.source_sha,
            e.test_accuracy, e.noisy_val_accuracy, e.k, e.rank, e.wall_s, e.curve, e.error
          FROM new.evaluations e JOIN new.variants v USING (variant);
        """
    )
    db.conn.commit()
    db.close()
    return path


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_says_the_same_of_real_results(golden_before: Path, view: str) -> None:
    with closing(sqlite3.connect(golden_before)) as connection:
        said = rows_of(connection)[view]
    assert len(said) > 100
    assert migrated(golden_before)[view] == said


def test_real_results_come_back_as_they_are_in_the_golden_database(golden_before: Path) -> None:
    with closing(open_reader(GOLDEN)) as connection:
        assert migrated(golden_before) == rows_of(connection)


def cells_of(path: Path, refiner: str) -> set[tuple[str, str, str]]:
    """Board, noise and method of the cells that ask for a refiner."""
    with open_writer(path) as db:
        rows = db.execute(
            "SELECT cv.board, bc.noise, bc.method FROM cell_variants cv "
            "JOIN board_cells bc ON bc.board = cv.board AND bc.cell = cv.cell "
            "WHERE cv.refiner = ?",
            [refiner],
        ).fetchall()
    return {(str(board), str(noise), str(method)) for board, noise, method in rows}


def test_cells_without_a_refiner_stay_without_it(before: Callable[[Fill], Path]) -> None:
    assert cells_of(before(every_kind), "lip") == {("one", "clean", "ce")}


def test_a_board_asks_for_the_variant_that_it_named(before: Callable[[Fill], Path]) -> None:
    path = before(every_kind)
    with open_writer(path) as db:
        params = db.execute(
            "SELECT v.params, v.source_sha FROM cell_variants JOIN variants v USING (variant) "
            "WHERE board = 'two' AND cell_variants.refiner = 'lip(k=3)'"
        ).fetchall()
    assert [tuple(row) for row in params] == [('{"k":3}', "new")]


def test_results_of_an_older_source_are_kept_and_belong_to_no_board(
    before: Callable[[Fill], Path],
) -> None:
    path = before(every_kind)
    with open_writer(path) as db:
        (kept,) = db.execute(
            "SELECT count(*) FROM evaluations JOIN variants USING (variant) "
            "WHERE source_sha = 'old'"
        ).fetchone()
        (shown,) = db.execute("SELECT count(*) FROM results WHERE test_accuracy = 0.125").fetchone()
    assert (kept, shown) == (2, 0)


def part_run(made: Before) -> None:
    """LIP ran on CE alone; random-basis was planned and ran nowhere."""
    made.board("one")
    for number, method in enumerate(["ce", "elr"]):
        made.training(number + 1, method, 0, "done" if method == "ce" else None)
        made.asked("one", number, number + 1, "clean", method)
        for refiner in ("off", "lip", "random-basis"):
            made.refined("one", number, refiner, f"{refiner}-{number + 1}")
    made.evaluated("off-1", 1, "off", 0.5)
    made.evaluated("lip-1", 1, "lip", 0.75)


def test_a_refiner_that_ran_in_one_cell_is_still_asked_for_in_the_others(
    before: Callable[[Fill], Path],
) -> None:
    assert cells_of(before(part_run), "lip") == {("one", "clean", "ce"), ("one", "clean", "elr")}


def test_a_refiner_that_ran_nowhere_waits_for_the_next_plan(
    before: Callable[[Fill], Path],
) -> None:
    assert cells_of(before(part_run), "random-basis") == set()


def test_cells_are_numbered_in_the_order_of_the_plan(before: Callable[[Fill], Path]) -> None:
    path = before(every_kind)
    with open_writer(path) as db:
        rows = db.execute(
            "SELECT board, cell, method FROM board_cells ORDER BY board, cell"
        ).fetchall()
    assert [tuple(row) for row in rows] == [
        ("one", 0, "ce"),
        ("one", 1, "elr"),
        ("two", 0, "cross-entropy"),
    ]


def test_no_row_points_at_nothing_after_the_step(before: Callable[[Fill], Path]) -> None:
    path = before(every_kind)
    with open_writer(path) as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.fixture
def read_before(before: Callable[[Fill], Path]) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """A database of the fourth step and a reader of it."""
    path = before(every_kind)
    with closing(open_reader(path)) as connection:
        yield path, connection


def test_a_reader_sees_an_old_database_as_a_new_one(
    read_before: tuple[Path, sqlite3.Connection],
) -> None:
    path, connection = read_before
    assert rows_of(connection) == migrated(path)


def test_a_reader_leaves_an_old_database_as_it_is(
    read_before: tuple[Path, sqlite3.Connection],
) -> None:
    path, _ = read_before
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations")]
    assert names[-1] == "m004_spectra"


def test_an_empty_database_takes_the_step(before: Callable[[Fill], Path]) -> None:
    assert migrated(before(lambda made: None)) == {view: [] for view in VIEWS}
