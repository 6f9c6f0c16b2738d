"""Writing a plan again, and what a run finds when it asks how far its trainings are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from made_up_runs import SUITE, MakeDatabase, done, ended, planned

from bench.records import Outcome
from bench.registry import Registry
from bench.runner import sort_out
from bench.store.database import open_reader, open_writer
from bench.store.plans import record_plan
from bench.store.progress import PASSED_OVER, training_ids
from bench.training_spec import TrainingSpec

TABLES = (
    *("board_cells", "board_members", "cell_variants", "board_excluded", "trainings"),
    *("artefacts", "variants", "plugins", "protocols", "evaluations", "attempts"),
)


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: sorted(map(tuple, connection.execute(f"SELECT * FROM {table}")), key=repr)
            for table in TABLES
        }


def test_the_same_plan_again_changes_nothing_but_the_date(
    make_database: MakeDatabase, registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    path = make_database()
    before = contents(path)
    plan = planned(SUITE.replace("SEEDS", "3"), tmp_path, registry, data_dir)
    with open_writer(path) as db:
        db.execute("UPDATE boards SET planned_at = 'long ago', title = 'another'")
        changes = db.conn.total_changes
        record_plan(db, plan, registry)
        written = db.conn.total_changes - changes
        ((planned_at, title),) = db.execute("SELECT planned_at, title FROM boards").fetchall()
    assert contents(path) == before
    assert planned_at != "long ago"
    assert title == "A tiny suite"
    assert written < len(plan.trainings)


def test_a_plan_of_more_seeds_takes_the_place_of_the_board(
    make_database: MakeDatabase, registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    path = make_database(seeds=1)
    plan = planned(SUITE.replace("SEEDS", "3"), tmp_path, registry, data_dir)
    with open_writer(path) as db:
        record_plan(db, plan, registry)
        todo = sort_out(db.conn, plan.trainings)
        boards = db.execute("SELECT count(*) FROM boards").fetchone()[0]
        members = db.execute("SELECT count(*) FROM board_members").fetchone()[0]
    assert (boards, members) == (1, len(plan.trainings))
    assert {training.seed for training in todo.done} == {0}
    assert len(todo.run) == 2 * len(todo.done)


def fates(spec: TrainingSpec) -> Outcome | None:
    """Seed 0 is done, 1 failed, LIP refused the head of 2, and 3 was never tried."""
    finished = done(spec)
    if spec.seed == 1:
        return ended(spec, "oom")
    if spec.seed == 2:
        refused = [
            replace(e, test_accuracy=None, noisy_val_accuracy=None, k=None, curve=(), error="rank")
            if e.refiner == "lip"
            else e
            for e in finished.evaluations
        ]
        return replace(finished, evaluations=tuple(refused))
    return finished if spec.seed == 0 else None


def test_trainings_are_told_apart_by_what_became_of_them(
    make_database: MakeDatabase, registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    path = make_database(fates, seeds=4)
    plan = planned(SUITE.replace("SEEDS", "4"), tmp_path, registry, data_dir)
    with closing(open_reader(path)) as connection:
        first = sort_out(connection, plan.trainings)
        again = sort_out(connection, plan.trainings, redo="failed")
    assert {t.seed for t in first.done} == {0}
    assert {t.seed for t in first.failed} == {1, 2}
    assert {t.seed for t in first.run} == {3}
    assert {t.seed for t in again.run} == {1, 2, 3}


def test_a_refiner_that_was_never_asked_for_is_to_run(
    make_database: MakeDatabase, registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    path = make_database(seeds=1)
    wider = SUITE.replace("SEEDS", "1").replace("[off, lip, psp]", "[off, lip, psp, recentre]")
    plan = planned(wider, tmp_path, registry, data_dir)
    with closing(open_reader(path)) as connection:
        todo = sort_out(connection, plan.trainings)
    assert list(todo.run) == list(plan.trainings)


def test_specs_that_came_from_a_file_are_sorted_as_planned_ones_are(
    make_database: MakeDatabase, registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    path = make_database(fates, seeds=4)
    plan = planned(SUITE.replace("SEEDS", "4"), tmp_path, registry, data_dir)
    travelled = [TrainingSpec.from_json(t.to_json()) for t in plan.trainings]
    with closing(open_reader(path)) as connection:
        todo, other = sort_out(connection, plan.trainings), sort_out(connection, travelled)
    assert [t.key for t in todo.run] == [t.key for t in other.run]
    assert [t.key for t in todo.failed] == [t.key for t in other.failed]


def test_a_few_trainings_of_many_are_found_by_key(make_database: MakeDatabase) -> None:
    with closing(open_reader(make_database())) as connection:
        rows = connection.execute("SELECT training_key, id FROM trainings ORDER BY id DESC")
        everything = {row[0]: row[1] for row in rows}
        few = dict(list(everything.items())[:2])
        assert len(everything) > PASSED_OVER * len(few)
        assert training_ids(connection, [*few, "of nobody"]) == few
        assert training_ids(connection, everything) == everything
