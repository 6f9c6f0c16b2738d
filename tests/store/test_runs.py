"""Runs as the database filters, orders and cuts them; figures are made up."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.errors import StoreError
from bench.store import runs
from bench.store.database import open_reader, open_writer
from bench.store.runs import Wanted

BOARD = "b" * 64
METHODS, NOISES, SEEDS = ("ce", "gce(q=0.5)"), ("clean", "symmetric 0.5"), (0, 1, 2)
SELECTION = ("selected_share", "selection_precision", "selection_recall")

# Position -> how its tries ended; every other training is done at once.
TRIES: dict[int, list[tuple[str, str]]] = {
    1: [("oom", "CUDA out of memory"), ("done", "")],
    2: [("failed", "ValueError: 50 % of nothing"), ("diverged", "the loss is not finite")],
    3: [],
}


def accuracy(position: int) -> float:
    return 0.5 + 0.01 * position


def key(position: int) -> str:
    return f"{position:x}" + "0123456789abcdef" * 4


def insert(db: Any, table: str, **row: object) -> None:
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods under two noises with three seeds, in every state; one run of no board."""
    path = tmp_path_factory.mktemp("runs") / "runs.db"
    with open_writer(path) as db:
        described(db)
        cells = [(method, noise) for noise in NOISES for method in METHODS]
        places = [(*cell, seed) for cell in cells for seed in SEEDS]
        for position, (method, noise, seed) in enumerate(places):
            training(db, position, method, noise, seed)
        training(db, 15, "elr", "clean", 0, on_board=False)
        db.conn.commit()
    return path


def described(db: Any) -> None:
    db.execute("INSERT INTO datasets VALUES ('f', 'digits', 'digits', 10, 5, '[\"a\"]', '[]', 1)")
    insert(db, "artefacts", artefact_sha="s", fingerprint="f", realised_rate=0.4, labels=b"")
    db.execute("INSERT INTO protocols VALUES ('p', '{\"epochs\": 2}')")
    packages = json.dumps({"torch": "2.14", "numpy": "2"})
    db.execute(
        "INSERT INTO environments VALUES ('e', 'abc', 1, '3.11', 'Linux', 'EPYC', 2, 'H100', ?)",
        [packages],
    )
    db.execute(
        "INSERT INTO boards VALUES (?, 'tiny', '', 'Tiny', 'digits', 'p', '2026-01-01', '{}')",
        [BOARD],
    )
    db.execute("INSERT INTO variants VALUES (1, 'off', '{}', ''), (2, 'lip', '{}', '')")
    cells = [(method, noise) for noise in NOISES for method in METHODS]
    for cell, (method, noise) in enumerate(cells):
        db.execute(
            "INSERT INTO board_cells VALUES (?, ?, 'digits', ?, '{}', ?)",
            [BOARD, cell, noise, method],
        )
        for variant, refiner in ((1, "off"), (2, "lip")):
            values = [BOARD, refiner, cell, variant]
            db.execute("INSERT INTO cell_variants VALUES (?, ?, ?, ?)", values)


def training(
    db: Any, position: int, method: str, noise: str, seed: int, *, on_board: bool = True
) -> None:
    row = position + 1
    spec = {"dataset": "digits", "method_label": method, "seed": seed, "noise": {"label": noise}}
    insert(
        db,
        "trainings",
        **{"id": row, "training_key": key(position), "fingerprint": "f", "artefact_sha": "s"},
        **{"protocol_sha": "p", "method": method, "method_params": "{}", "seed": seed},
        **{"method_source_sha": "m", "spec": json.dumps(spec)},
    )
    if on_board:
        cell = position // len(SEEDS)
        db.execute(
            "INSERT INTO board_members VALUES (?, ?, ?, ?, ?)", [BOARD, cell, position, row, seed]
        )
    tries = TRIES.get(position, [("done", "")])
    for number, (status, error) in enumerate(tries, start=1):
        insert(
            db,
            "attempts",
            **{"training_id": row, "attempt": number, "status": status, "wall_s": 10.0 + position},
            **{"started_at": f"2026-01-{20 - position:02}T0{number}:00:00+00:00", "samples": 1},
            **{"device": "cuda:0", "precision": "bf16", "threads": 1, "environment_sha": "e"},
            **{"error": error, "traceback": "", "log": "", "peak_memory_bytes": 2**20},
        )
    if not tries or tries[-1][0] != "done":
        return
    for epoch in (1, 2):
        insert(
            db,
            "epochs",
            training_id=row,
            epoch=epoch,
            test_accuracy=0.4,
            lr=0.1,
            wall_s=float(epoch),
        )
    insert(
        db,
        "selections",
        **{"training_id": row, "selector": "last", "epoch": 2, "test_accuracy": accuracy(position)},
    )
    for variant, (refiner, gain) in enumerate((("off", 0.0), ("lip", 0.02)), start=1):
        insert(
            db,
            "evaluations",
            **{"evaluation_key": f"{refiner}{position}", "training_id": row, "variant": variant},
            **{"rank": 10, "wall_s": 0.1, "curve": "[]", "error": ""},
            test_accuracy=accuracy(position) + gain,
        )


@pytest.fixture
def reader(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_reader(path)) as connection:
        yield connection


def positions(connection: sqlite3.Connection, wanted: Wanted, *cut: int) -> list[int]:
    found = runs.listed(connection, BOARD, wanted, *(cut or (100,)))
    return [int(key[0], 16) for key in found["training_key"]]


def test_choices_are_those_of_the_plan_in_its_order(reader: sqlite3.Connection) -> None:
    found = runs.choices(reader, BOARD)
    assert (found.methods, found.noises, found.seeds) == (METHODS, NOISES, SEEDS)
    assert found.datasets == ("digits",)
    assert runs.choices(reader, "another").methods == ()


def test_no_filter_lists_the_whole_plan_and_no_run_of_another(reader: sqlite3.Connection) -> None:
    assert positions(reader, Wanted()) == list(range(12))
    assert runs.count(reader, BOARD, Wanted()) == 12
    assert runs.listed(reader, "another", Wanted(), 10).empty


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(methods=("gce(q=0.5)",)), [3, 4, 5, 9, 10, 11]),
        (Wanted(noises=("clean",), seeds=(1,)), [1, 4]),
        (Wanted(datasets=("digits",), seeds=(0, 2)), [0, 2, 3, 5, 6, 8, 9, 11]),
        (Wanted(datasets=("cifar10",)), []),
        (Wanted(statuses=("missing",)), [3]),
        (Wanted(statuses=("diverged", "missing")), [2, 3]),
        (Wanted(statuses=("failed",)), []),
        (Wanted(text="A0123"), [10]),
        (Wanted(text="out of MEMORY"), [1]),
        (Wanted(text="50 %"), [2]),
        (Wanted(text="%"), [2]),
        (Wanted(text="' OR 1=1 --"), []),
        (Wanted(methods=("ce",), text="not finite", statuses=("diverged",)), [2]),
    ],
)
def test_filters(reader: sqlite3.Connection, wanted: Wanted, expected: list[int]) -> None:
    assert positions(reader, wanted) == expected
    assert runs.count(reader, BOARD, wanted) == len(expected)
    assert not wanted.is_everything


@pytest.mark.parametrize(
    ("order", "first", "last"),
    [("plan", 0, 11), ("latest", 0, 3), ("lowest", 0, 3), ("highest", 11, 3), ("longest", 11, 3)],
)
def test_orders_put_what_has_no_value_last(
    reader: sqlite3.Connection, order: str, first: int, last: int
) -> None:
    found = positions(reader, Wanted(order=order))
    assert (found[0], found[-1]) == (first, last)
    assert sorted(found) == list(range(12))
    assert Wanted(order=order).is_everything


def test_pages_follow_each_other(reader: sqlite3.Connection) -> None:
    wanted = Wanted(order="highest")
    whole = positions(reader, wanted)
    cut = [positions(reader, wanted, 5, offset) for offset in (0, 5, 10, 15)]
    assert [len(page) for page in cut] == [5, 5, 2, 0]
    assert [position for page in cut for position in page] == whole


def test_a_row_says_what_a_run_has(reader: sqlite3.Connection) -> None:
    found = runs.listed(reader, BOARD, Wanted(), 4).to_dict("records")
    assert [row["status"] for row in found] == ["done", "done", "diverged", "missing"]
    assert found[1]["test_accuracy"] == pytest.approx(0.51)
    assert found[1]["gain"] == pytest.approx(0.02)
    assert found[1]["error"] == ""
    assert found[1]["started_at"].startswith("2026-01-19T02")
    assert found[2]["error"] == "the loss is not finite"
    assert found[2]["test_accuracy"] != found[2]["test_accuracy"]
    assert found[3]["wall_s"] != found[3]["wall_s"]


def test_keys_are_found_by_their_first_digits(reader: sqlite3.Connection) -> None:
    assert runs.matching(reader, "A0") == [key(10)]
    assert runs.matching(reader, key(3)) == [key(3)]
    assert len(runs.matching(reader, "")) == 0
    assert runs.matching(reader, "zz") == []


def test_details_say_the_place_and_the_other_seeds(reader: sqlite3.Connection) -> None:
    found = runs.run_details(reader, BOARD, key(4)[:6])
    assert found["place"] == {"dataset": "digits", "noise": "clean", "method": "gce(q=0.5)"}
    assert found["seeds"] == {0: key(3), 1: key(4), 2: key(5)}
    assert found["labels"] == {"off4": "off", "lip4": "lip"}
    assert found["environment"]["git_dirty"] is True
    assert found["environment"]["packages"]["torch"] == "2.14"
    assert "environment_sha" not in found["environment"]


def test_details_of_a_run_that_the_board_does_not_ask_for(reader: sqlite3.Connection) -> None:
    found = runs.run_details(reader, BOARD, key(15))
    assert found["place"] is None
    assert found["seeds"] == {}
    with pytest.raises(StoreError, match="no training starts"):
        runs.run_details(reader, BOARD, "zz")


def test_the_attempt_that_counts(reader: sqlite3.Connection) -> None:
    tries = {
        position: runs.counting(runs.run_details(reader, BOARD, key(position))["attempts"])
        for position in (1, 2, 3)
    }
    assert [attempt and attempt["status"] for attempt in tries.values()] == [
        "done",
        "diverged",
        None,
    ]
    assert runs.run_details(reader, BOARD, key(3))["environment"] == {}


def test_epochs_of_several_runs(reader: sqlite3.Connection) -> None:
    found = runs.epochs(reader, [key(0), key(1), key(3)])
    assert list(found["seed"]) == [0, 0, 1, 1]
    assert list(found["epoch"]) == [1, 2, 1, 2]
    assert "training_id" not in found
    assert runs.epochs(reader, []).empty


def test_epochs_of_a_database_that_is_older(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(old)) as target:
        source.backup(target)
        there = {row[1] for row in target.execute("PRAGMA table_info(epochs)")}
        for column in (*SELECTION, "approximated_accuracy"):
            if column in there:
                target.execute(f"ALTER TABLE epochs DROP COLUMN {column}")
        target.commit()
    with closing(open_reader(old)) as connection:
        found = runs.epochs(connection, [key(0)])
        assert len(found) == 2
        assert not {*SELECTION, "approximated_accuracy"} & set(found)
        assert len(runs.run_details(connection, BOARD, key(0))["epochs"]) == 2


def test_nothing_is_written(path: Path) -> None:
    with closing(open_reader(path)) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM trainings")
