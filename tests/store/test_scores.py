"""Scores in one pass are those of the views, refused evaluations and holes included."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from made_up_runs import ended, epoch, evaluated, planned, write_database

from bench.plan import Plan
from bench.records import Outcome
from bench.registry import Registry
from bench.stats.frame import CELL
from bench.store import reader, scores
from bench.store.database import open_reader
from bench.training_spec import TrainingSpec

GOLDEN = Path(__file__).parents[1] / "golden" / "leaderboard.db"
SHIPPED = Path(__file__).parents[2] / "leaderboard.db"

SUITE = """
suite: scored
datasets: [digits]
noises: [clean, {symmetric: {rate: 0.5}}]
methods: [elr, ce, {gce: {q: 0.5}}]
refiners: [off, lip, psp]
seeds: 3
exclude: [{method: elr, noise: symmetric}]
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""

KEYS = [*CELL, "seed"]
FIGURES = ["test_accuracy", "k", "rank"]


def outcome(spec: TrainingSpec, status: str = "done") -> Outcome:
    """An attempt; LIP refuses the head of CE at seed 1, and PSP was never asked about clean."""
    if status != "done":
        return ended(spec, status)
    worth = {"elr": 0.9, "ce": 0.7, "gce": 0.8}[spec.method] + 0.01 * spec.seed
    found = []
    for refiner in spec.refiners:
        if refiner.name == "psp" and spec.noise.name == "clean":
            continue
        if (refiner.name, spec.method, spec.seed) == ("lip", "ce", 1):
            found.append(evaluated(refiner, None, error="rank 0"))
            continue
        chosen = 3 if refiner.name == "lip" else None
        found.append(evaluated(refiner, worth + 0.001 * len(refiner.name), k=chosen))
    return ended(
        spec,
        "done",
        error="",
        wall_s=3.0,
        train_s=2.0 + spec.seed,
        peak_memory_bytes=1000,
        epochs=tuple(
            epoch(e, worth + 0.01 * e, noisy_val_accuracy=0.5 + 0.1 * (e == 1)) for e in (1, 2)
        ),
        evaluations=tuple(found),
    )


def history(spec: TrainingSpec) -> list[Outcome]:
    """What became of a training: done, done at the second try, failed, diverged, or nothing."""
    place = (spec.method, spec.noise.name, spec.seed)
    return {
        ("ce", "symmetric", 0): [outcome(spec, "failed"), outcome(spec)],
        ("ce", "symmetric", 1): [outcome(spec, "failed"), outcome(spec, "diverged")],
        ("ce", "symmetric", 2): [outcome(spec, "oom")],
        ("gce", "symmetric", 0): [],
        ("gce", "symmetric", 1): [],
        ("gce", "symmetric", 2): [],
    }.get(place, [outcome(spec)])


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, registry: Registry, data_dir: Path) -> Plan:
    """The plan of the suite."""
    return planned(SUITE, tmp_path_factory.mktemp("suite"), registry, data_dir)


@pytest.fixture(scope="module")
def made(plan: Plan, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which trainings ended in every way."""
    return write_database(tmp_path_factory.mktemp("made") / "some.db", plan, registry, history)


@pytest.fixture(scope="module")
def connection(made: Path) -> Iterator[sqlite3.Connection]:
    """A reader of it."""
    with closing(open_reader(made)) as found:
        yield found


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Comparable with a frame of any other column types, in one order."""
    found = frame[[*KEYS, *FIGURES]].astype(dict.fromkeys(CELL, object))
    found = found.astype(dict.fromkeys(FIGURES, float))
    return found.sort_values(KEYS).reset_index(drop=True)


def boards(connection: sqlite3.Connection) -> list[str]:
    """Keys of all boards."""
    return [str(row[0]) for row in connection.execute("SELECT board FROM boards")]


def assert_scores_are_those_of_the_view(connection: sqlite3.Connection) -> None:
    """Every refiner of every board, value by value."""
    for board in boards(connection):
        named = scores.cells(connection, board)
        expected = reader.results(connection, board)
        assert set(scores.refiners(connection, board)) == set(expected["refiner"])
        for refiner in scores.refiners(connection, board):
            found = scores.scores(connection, board, refiner, named)
            kept = expected[expected["refiner"] == refiner]
            pd.testing.assert_frame_equal(plain(found), plain(kept))


def test_scores_are_those_of_the_view_with_refused_evaluations(
    connection: sqlite3.Connection,
) -> None:
    assert_scores_are_those_of_the_view(connection)


@pytest.mark.parametrize("path", [GOLDEN, SHIPPED], ids=["golden", "shipped"])
def test_scores_are_those_of_the_view_in_real_databases(path: Path) -> None:
    with closing(open_reader(path)) as found:
        assert_scores_are_those_of_the_view(found)


def test_a_refused_evaluation_has_a_row_without_an_accuracy(
    connection: sqlite3.Connection,
) -> None:
    (board,) = boards(connection)
    found = scores.scores(connection, board, "lip", scores.cells(connection, board))
    refused = found[found["test_accuracy"].isna()]
    assert refused[[*CELL, "seed"]].astype(str).values.tolist() == [["digits", "clean", "ce", "1"]]


def test_a_board_lists_its_refiners_with_off_first(connection: sqlite3.Connection) -> None:
    (board,) = boards(connection)
    assert scores.refiners(connection, board) == ["off", "lip", "psp"]


def test_a_refiner_without_any_evaluation_is_not_listed(
    plan: Plan, registry: Registry, tmp_path: Path
) -> None:
    def only_off(spec: TrainingSpec) -> Outcome:
        found = outcome(spec)
        return replace(found, evaluations=tuple(e for e in found.evaluations if e.refiner == "off"))

    path = write_database(tmp_path / "some.db", plan, registry, only_off)
    with closing(open_reader(path)) as found:
        assert scores.refiners(found, plan.board) == ["off"]


def test_an_unknown_refiner_has_no_scores(connection: sqlite3.Connection) -> None:
    (board,) = boards(connection)
    named = scores.cells(connection, board)
    assert scores.scores(connection, board, "nobody", named).empty


def test_cells_are_those_of_the_plan_in_its_order(
    connection: sqlite3.Connection, plan: Plan
) -> None:
    found = scores.cells(connection, plan.board)
    expected = [("digits", t.noise.label, t.method_label) for t in plan.trainings]
    assert list(found[CELL].astype(str).itertuples(index=False, name=None)) == list(
        dict.fromkeys(expected)
    )
    assert found["planned"].tolist() == [3] * 5


def test_names_are_categories_in_the_order_of_the_plan(
    connection: sqlite3.Connection, plan: Plan
) -> None:
    named = scores.cells(connection, plan.board)
    found = scores.scores(connection, plan.board, "off", named)
    assert list(found["method"].cat.categories) == ["elr", "ce", "gce(q=0.5)"]


def by_status(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    """(cell, status) -> trainings."""
    return {
        (str(row["cell"]), str(row["status"])): int(row["trainings"])
        for row in frame.to_dict("records")
    }


def assert_unfinished_is_what_the_view_says(connection: sqlite3.Connection) -> None:
    """Counted by cell and status."""
    for board in boards(connection):
        expected = connection.execute(
            "SELECT bm.cell, s.status, count(*) FROM board_members bm "
            "JOIN training_status s ON s.training_id = bm.training_id "
            "WHERE bm.board = ? AND s.status <> 'done' GROUP BY bm.cell, s.status",
            [board],
        )
        rows = {(str(cell), str(status)): int(n) for cell, status, n in expected}
        assert by_status(scores.unfinished(connection, board)) == rows


def test_unfinished_trainings_are_those_that_the_view_does_not_call_done(
    connection: sqlite3.Connection,
) -> None:
    assert_unfinished_is_what_the_view_says(connection)


@pytest.mark.parametrize("path", [GOLDEN, SHIPPED], ids=["golden", "shipped"])
def test_unfinished_trainings_agree_with_the_view_in_real_databases(path: Path) -> None:
    with closing(open_reader(path)) as found:
        assert_unfinished_is_what_the_view_says(found)


def test_unfinished_trainings_are_counted_by_how_the_last_try_ended(
    connection: sqlite3.Connection,
) -> None:
    (board,) = boards(connection)
    named = scores.cells(connection, board)["method"].astype(str).to_dict()
    found = scores.unfinished(connection, board)
    rows = {
        (named[row["cell"]], row["status"], row["trainings"]) for row in found.to_dict("records")
    }
    assert rows == {("ce", "diverged", 1), ("ce", "oom", 1), ("gce(q=0.5)", "missing", 3)}


@pytest.mark.parametrize("selector", ["last", "best-noisy-val", "oracle-best-test"])
def test_selected_accuracies_are_those_of_the_table(
    connection: sqlite3.Connection, selector: str
) -> None:
    (board,) = boards(connection)
    found = scores.selected(connection, board, selector, scores.cells(connection, board))
    expected = reader.selections(connection, board)
    expected = expected[expected["selector"] == selector].set_index(KEYS)["test_accuracy"]
    shown = found.astype(dict.fromkeys(CELL, object)).set_index(KEYS)["test_accuracy"]
    assert shown.to_dict() == expected.to_dict()


def test_selectors_are_those_that_trainings_were_measured_by(
    connection: sqlite3.Connection,
) -> None:
    (board,) = boards(connection)
    expected = set(reader.selections(connection, board)["selector"])
    assert set(scores.selectors(connection, board)) == expected


def test_a_board_that_was_never_run_has_cells_and_no_scores(
    plan: Plan, registry: Registry, tmp_path: Path
) -> None:
    path = write_database(tmp_path / "planned.db", plan, registry, lambda spec: None)
    with closing(open_reader(path)) as found:
        named = scores.cells(found, plan.board)
        assert len(named) == 5
        assert scores.refiners(found, plan.board) == []
        assert scores.scores(found, plan.board, "off", named).empty
        assert scores.unfinished(found, plan.board)["trainings"].sum() == 15


def test_an_unknown_board_is_empty(connection: sqlite3.Connection) -> None:
    named = scores.cells(connection, "no-such-board")
    assert named.empty
    assert scores.scores(connection, "no-such-board", "off", named).empty
