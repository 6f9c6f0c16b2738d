"""Interrupting a suite at any moment loses at most the training in flight."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.engines.local import LocalEngine, LocalSettings
from bench.engines.protocol import Workplace, post
from bench.plan import make_plan
from bench.registry import Registry
from bench.runner import drain, sort_out
from bench.runner import run as run_trainings
from bench.spec import load_suite
from bench.store.database import open_writer
from bench.store.plans import record_plan

SUITE = """
suite: resumed
datasets: [digits]
noises: [{symmetric: {rate: 0.4}}]
methods: [ce, elr, co-teaching]
refiners: [off, lip, lip-calibrated]
seeds: 2
protocol: {backbone: {small-cnn: {width: 4}}, epochs: 4, batch_size: 64}
"""

SILENT: dict[str, Callable[..., None]] = {
    "on_epoch": lambda spec, epoch: None,
    "on_finished": lambda spec, outcome: None,
}
"""A run that nobody watches."""

Measured = Callable[[Path], dict[str, list[tuple[Any, ...]]]]


def start(suite: Path, db: Path, data_dir: Path, jobs: int = 1) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "bench", "run", str(suite), "--db", str(db)),
            *("--data-dir", str(data_dir), "--jobs", str(jobs), "--threads", "1"),
            *("--device", "cpu"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out


def done(db: Path) -> int:
    try:
        connection = sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return 0
    try:
        (count,) = connection.execute(
            "SELECT count(*) FROM training_status WHERE status = 'done'"
        ).fetchone()
        return int(count)
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> tuple[Path, Path]:
    """The suite's file and the database of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    suite = folder / "suite.yaml"
    suite.write_text(SUITE)
    finish(start(suite, folder / "whole.db", data_dir))
    return suite, folder / "whole.db"


def test_a_suite_killed_twice_and_resumed_equals_the_undisturbed_one_bit_for_bit(
    undisturbed: tuple[Path, Path], data_dir: Path, tmp_path: Path, measured: Measured
) -> None:
    suite, whole = undisturbed
    db = tmp_path / "killed.db"
    for wanted in (1, 3):
        process = start(suite, db, data_dir)
        deadline = time.monotonic() + 120
        while done(db) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        before = done(db)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert done(db) >= before >= wanted
    finish(start(suite, db, data_dir))
    assert measured(db) == measured(whole)


def test_two_slots_give_the_same_results_as_one(
    undisturbed: tuple[Path, Path], data_dir: Path, tmp_path: Path, measured: Measured
) -> None:
    suite, whole = undisturbed
    finish(start(suite, tmp_path / "two.db", data_dir, jobs=2))
    assert measured(tmp_path / "two.db") == measured(whole)


def test_a_finished_suite_runs_nothing_again(
    undisturbed: tuple[Path, Path], data_dir: Path, measured: Measured
) -> None:
    suite, whole = undisturbed
    before = measured(whole)
    assert "All 6 trainings are done" in finish(start(suite, whole, data_dir))
    assert measured(whole) == before


def test_workers_of_a_killed_coordinator_end_by_themselves(
    undisturbed: tuple[Path, Path], data_dir: Path, tmp_path: Path
) -> None:
    suite, _ = undisturbed
    process = start(suite, tmp_path / "orphans.db", data_dir)
    deadline = time.monotonic() + 60
    while not (workers := children(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in workers)


def test_ctrl_c_says_how_to_go_on_and_keeps_what_is_done(data_dir: Path, tmp_path: Path) -> None:
    suite = tmp_path / "longer.yaml"
    suite.write_text(SUITE.replace("seeds: 2", "seeds: 40"))
    db = tmp_path / "interrupted.db"
    process = start(suite, db, data_dir)
    deadline = time.monotonic() + 120
    while done(db) < 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from here" in " ".join(out.split())
    assert done(db) >= 1


def test_a_second_run_on_a_database_is_refused_with_the_first_ones_pid(
    undisturbed: tuple[Path, Path], data_dir: Path, tmp_path: Path
) -> None:
    suite, _ = undisturbed
    db = tmp_path / "shared.db"
    first = start(suite, db, data_dir)
    deadline = time.monotonic() + 60
    while not db.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    second = start(suite, db, data_dir)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"another run (pid {first.pid}" in err
    finish(first)
    assert done(db) == 6


def test_an_outcome_left_in_the_outbox_is_committed_by_the_next_run(
    undisturbed: tuple[Path, Path],
    data_dir: Path,
    registry: Registry,
    tmp_path: Path,
    measured: Measured,
) -> None:
    suite, whole = undisturbed
    plan = make_plan(load_suite(str(suite), None, registry), registry, data_dir)
    place = Workplace(tmp_path / "runs")
    engine = LocalEngine(LocalSettings(data_dir, place, (), 1, "cpu", 1))
    ((spec, outcome, path),) = list(engine.run(plan.trainings[:1]))
    assert path is not None
    assert path.exists()  # nobody committed it: as if the coordinator had died here
    (place.outbox / "half.part").write_text("{")
    (place.outbox / "garbage.json").write_text("{}")
    with open_writer(tmp_path / "late.db") as db:
        record_plan(db, plan, registry)
        assert drain(db, place) == 1
        assert sort_out(db.conn, plan.trainings).done == (spec,)
    assert [p.name for p in place.outbox.iterdir()] == ["garbage.rejected"]
    key = outcome.key
    found = {
        t: [r for r in rows if r[0] == key] for t, rows in measured(tmp_path / "late.db").items()
    }
    assert found == {t: [r for r in rows if r[0] == key] for t, rows in measured(whole).items()}


def test_a_failure_is_left_alone_until_it_is_asked_for(
    write_suite: Callable[..., Path], misbehaving: Path, data_dir: Path, tmp_path: Path
) -> None:
    from bench.registry import discover

    text = SUITE.replace("[ce, elr, co-teaching]", "[raises]").replace("seeds: 2", "seeds: 1")
    registry = discover([misbehaving])
    plan = make_plan(load_suite(str(write_suite(text)), None, registry), registry, data_dir)
    place = Workplace(tmp_path / "runs")
    engine = LocalEngine(LocalSettings(data_dir, place, (misbehaving,), 1, "cpu", 1))
    with open_writer(tmp_path / "failed.db") as db:
        record_plan(db, plan, registry)
        summary = run_trainings(db, engine, plan.trainings, **SILENT)
        assert len(summary.failures) == 1
        todo = sort_out(db.conn, plan.trainings)
        assert (len(todo.failed), len(todo.run)) == (1, 0)
        assert len(sort_out(db.conn, plan.trainings, "failed").run) == 1


BROKEN_REFINER = """
from bench.refine.controls import single
from bench.api import Refiner


class Broken(Refiner):
    \"\"\"Gives NaN.\"\"\"

    name = "broken-refiner"
    has_rank = False

    def path(self, problem):
        return single(problem.weight * float("nan"), problem.bias)
"""


def test_a_refiner_that_fails_is_a_row_beside_the_others_and_is_left_alone(
    write_suite: Callable[..., Path], data_dir: Path, tmp_path: Path
) -> None:
    from bench.registry import discover

    plugin = tmp_path / "broken_refiner.py"
    plugin.write_text(BROKEN_REFINER)
    text = SUITE.replace("[ce, elr, co-teaching]", "[ce]").replace("seeds: 2", "seeds: 1")
    suite = write_suite(text.replace("[off, lip, lip-calibrated]", "[off, broken-refiner]"))
    registry = discover([plugin])
    plan = make_plan(load_suite(str(suite), None, registry), registry, data_dir)
    engine = LocalEngine(
        LocalSettings(data_dir, Workplace(tmp_path / "runs"), (plugin,), 1, "cpu", 1)
    )
    with open_writer(tmp_path / "refiner.db") as db:
        record_plan(db, plan, registry)
        summary = run_trainings(db, engine, plan.trainings, **SILENT)
        rows = dict(db.execute("SELECT refiner, error FROM results").fetchall())
        todo = sort_out(db.conn, plan.trainings)
        again = sort_out(db.conn, plan.trainings, "failed")
    ((_, outcome),) = summary.failures
    assert outcome.status == "done"
    assert rows["off"] == ""
    assert "holds NaN" in rows["broken-refiner"]
    assert (len(todo.failed), len(todo.run), len(again.run)) == (1, 0, 1)


def test_posting_the_same_outcome_twice_stores_it_once(
    undisturbed: tuple[Path, Path], data_dir: Path, registry: Registry, tmp_path: Path
) -> None:
    suite, _ = undisturbed
    plan = make_plan(load_suite(str(suite), None, registry), registry, data_dir)
    place = Workplace(tmp_path / "runs")
    engine = LocalEngine(LocalSettings(data_dir, place, (), 1, "cpu", 1))
    ((spec, outcome, _),) = list(engine.run(plan.trainings[:1]))
    with open_writer(tmp_path / "twice.db") as db:
        record_plan(db, plan, registry)
        for committed in (1, 0):
            post(place.outbox, spec, outcome)
            assert drain(db, place) == committed
        (attempts,) = db.execute("SELECT count(*) FROM attempts").fetchone()
        (evaluations,) = db.execute("SELECT count(*) FROM evaluations").fetchone()
        (epochs,) = db.execute("SELECT count(*) FROM epochs").fetchone()
    assert (attempts, evaluations, epochs) == (1, 3, 4)


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text()
