"""What a database counts as done, failed, missing and without a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import Connection

import pandas as pd
import pytest

from bench.plan import Plan, make_plan
from bench.records import Evaluation, Outcome, TrainingSpec
from bench.registry import Registry
from bench.spec import load_suite
from bench.stats import gains as paired
from bench.stats.leaderboard import cells
from bench.stats.one_method import with_interval
from bench.store import coverage, method_cells, reader, recent
from bench.store.database import open_reader, open_writer
from bench.store.plans import record_plan
from bench.store.writer import commit

SUITE = """
suite: counted
datasets: [digits]
noises: [clean, {symmetric: {rate: 0.5}}]
methods: [ce, {gce: {q: 0.5}}]
refiners: [off, lip]
seeds: 3
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""
"""Twelve trainings."""

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def ended(spec: TrainingSpec, status: str = "done", minute: int = 0, error: str = "") -> Outcome:
    """An attempt that took 30 seconds."""
    return Outcome(
        key=spec.key,
        status=status,
        started_at=(START + timedelta(minutes=minute)).isoformat("T", "milliseconds"),
        wall_s=30.0,
        device="cpu",
        precision="fp32",
        threads=1,
        environment=None,
        error=error or ("" if status == "done" else f"it {status}"),
        traceback="" if status == "done" else "Traceback: deep",
        log="runs/some.log",
        train_s=2.0 if spec.method == "ce" else 3.0,
        peak_memory_bytes=1000 + spec.seed,
        n_parameters=50,
        evaluations=tuple(evaluated(spec)) if status == "done" else (),
    )


def evaluated(spec: TrainingSpec, broken: str = "", without: str = "") -> Iterator[Evaluation]:
    """Every evaluation of the plan, one of them broken and one left out."""
    for refiner in spec.refiners:
        if refiner.name == without:
            continue
        value = 0.8 + 0.01 * spec.seed + (0.02 if refiner.name == "lip" else 0)
        error = "rank 0" if refiner.name == broken else ""
        yield Evaluation(
            key=refiner.evaluation_key,
            refiner=refiner.name,
            label=refiner.label,
            params=refiner.params,
            source_sha=refiner.source_sha,
            test_accuracy=None if error else value,
            noisy_val_accuracy=None,
            k=None,
            rank=10,
            wall_s=0.1,
            error=error,
        )


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, registry: Registry, data_dir: Path) -> Plan:
    file = tmp_path_factory.mktemp("suite") / "counted.yaml"
    file.write_text(SUITE)
    return make_plan(load_suite(str(file), None, registry), registry, data_dir)


@pytest.fixture(scope="module")
def filled(
    plan: Plan, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Connection]:
    """``filled(outcomes)``: a reader of a database with these outcomes of each training."""

    def fill(outcomes: Callable[[TrainingSpec], list[Outcome]]) -> Connection:
        path = tmp_path_factory.mktemp("database") / "some.db"
        with open_writer(path) as db:
            record_plan(db, plan, registry)
            for training in plan.trainings:
                for outcome in outcomes(training):
                    commit(db, training, outcome)
        return open_reader(path)

    return fill


def history(spec: TrainingSpec) -> list[Outcome]:
    """CE is done but for one seed under noise; gce misses one and fails, or mends it, elsewhere."""
    if spec.method == "ce":
        return [] if spec.noise.name == "symmetric" and spec.seed == 1 else [ended(spec)]
    if spec.noise.name == "clean":
        tries = {0: ["diverged", "done"], 1: ["oom", "crashed"], 2: []}[spec.seed]
        return [ended(spec, status, minute) for minute, status in enumerate(tries)]
    broken = replace(ended(spec), evaluations=tuple(evaluated(spec, broken="lip")))
    never = replace(ended(spec), evaluations=tuple(evaluated(spec, without="lip")))
    return [[broken], [never], [ended(spec)]][spec.seed]


@pytest.fixture(scope="module")
def reading(filled: Callable[..., Connection]) -> Iterator[Connection]:
    with closing(filled(history)) as connection:
        yield connection


def test_statuses_are_those_of_the_attempt_that_decides(reading: Connection, plan: Plan) -> None:
    found = coverage.statuses(reading, plan.board)
    counted = found.set_index(["noise", "method", "status"])["trainings"].to_dict()
    assert counted == {
        ("clean", "ce", "done"): 3,
        ("clean", "gce(q=0.5)", "done"): 1,
        ("clean", "gce(q=0.5)", "crashed"): 1,
        ("clean", "gce(q=0.5)", "missing"): 1,
        ("symmetric 0.5", "ce", "done"): 2,
        ("symmetric 0.5", "ce", "missing"): 1,
        ("symmetric 0.5", "gce(q=0.5)", "done"): 3,
    }
    assert found["trainings"].sum() == len(plan.trainings)
    assert list(found["noise"]) == sorted(found["noise"])


def test_statuses_agree_with_those_of_single_trainings(reading: Connection, plan: Plan) -> None:
    one_by_one = reader.planned(reading, plan.board)["status"].value_counts()
    counted = coverage.statuses(reading, plan.board).groupby("status")["trainings"].sum()
    assert counted.to_dict() == one_by_one.to_dict()


def test_missing_cells_name_their_seeds_and_what_only_takes(
    reading: Connection, plan: Plan
) -> None:
    found = coverage.missing(reading, plan.board)
    columns = ["dataset", "noise", "method", "seeds", "trainings"]
    assert found[columns].values.tolist() == [
        ["digits", "clean", "gce(q=0.5)", "2", 1],
        ["digits", "symmetric 0.5", "ce", "1", 1],
    ]
    assert found[["method_name", "noise_name", "dataset_name"]].values.tolist() == [
        ["gce", "clean", "digits"],
        ["ce", "symmetric", "digits"],
    ]


def test_failures_show_the_last_try_and_how_many_there_were(
    reading: Connection, plan: Plan
) -> None:
    (row,) = coverage.failures(reading, plan.board).to_dict("records")
    assert (row["method"], row["seed"], row["status"]) == ("gce(q=0.5)", 1, "crashed")
    assert (row["error"], row["attempts"], row["log"]) == ("it crashed", 2, "runs/some.log")
    assert row["started_at"].startswith("2026-01-02T03:05:05")
    assert coverage.traceback_of(reading, row["training_key"]) == "Traceback: deep"
    assert coverage.traceback_of(reading, "no such key") == ""


def test_evaluations_that_failed_are_apart_from_those_that_were_never_tried(
    reading: Connection, plan: Plan
) -> None:
    (failed,) = coverage.without_value(reading, plan.board).to_dict("records")
    assert (failed["refiner"], failed["seed"], failed["error"]) == ("lip", 0, "rank 0")
    assert (failed["noise"], failed["method_name"]) == ("symmetric 0.5", "gce")
    (never,) = coverage.not_evaluated(reading, plan.board).to_dict("records")
    assert (never["refiner"], never["method"], never["trainings"]) == ("lip", "gce(q=0.5)", 1)


def test_a_board_that_is_complete_lacks_nothing(
    filled: Callable[..., Connection], plan: Plan
) -> None:
    with closing(filled(lambda spec: [ended(spec)])) as connection:
        for lacks in (
            coverage.missing,
            coverage.failures,
            coverage.without_value,
            coverage.not_evaluated,
        ):
            assert lacks(connection, plan.board).empty
        assert set(coverage.statuses(connection, plan.board)["status"]) == {"done"}


def test_another_boards_results_are_not_counted(reading: Connection) -> None:
    for read in (coverage.statuses, coverage.missing, method_cells.values, method_cells.declared):
        assert read(reading, "no such board").empty


@pytest.mark.parametrize("refiner", ["off", "lip"])
def test_cells_averaged_by_the_database_equal_those_of_the_leaderboard(
    reading: Connection, plan: Plan, refiner: str
) -> None:
    expected = cells(reader.results(reading, plan.board), refiner)
    found = with_interval(method_cells.values(reading, plan.board, refiner))
    index = ["dataset", "noise", "method"]
    left = found.set_index(index)[["seeds", "mean", "low", "high"]].sort_index()
    right = expected.set_index(index)[["seeds", "mean", "low", "high"]].sort_index()
    pd.testing.assert_frame_equal(
        left, right, check_dtype=False, check_index_type=False, rtol=1e-9, atol=1e-9
    )


def test_gains_averaged_by_the_database_equal_those_of_the_statistics(
    reading: Connection, plan: Plan
) -> None:
    expected = paired.by_cell(reader.results(reading, plan.board))
    for method in ("ce", "gce(q=0.5)"):
        found = method_cells.gains(reading, plan.board, method).to_dict("records")
        assert {(row["noise"], row["seeds"], round(row["gain"], 9)) for row in found} == {
            (row["noise"], row["seeds"], round(row["gain"], 9))
            for row in expected[expected["method"] == method].to_dict("records")
        }


def test_what_methods_declare_and_cost(reading: Connection, plan: Plan) -> None:
    found = method_cells.declared(reading, plan.board).set_index("method")
    assert list(found.index) == ["ce", "gce(q=0.5)"]
    assert found.loc["gce(q=0.5)", ["name", "family", "cost", "n_networks"]].tolist() == [
        "gce",
        "loss",
        1,
        1,
    ]
    assert found.loc["ce", "knows"] == []
    costs = method_cells.costs(reading, plan.board)
    assert costs["trainings"].sum() == 9
    assert costs[costs["method"] == "ce"]["train_s"].tolist() == [2.0, 2.0]
    assert costs["peak_memory_bytes"].max() == 1002


def test_parameters_are_those_of_the_trainings(reading: Connection, plan: Plan) -> None:
    found = method_cells.parameters(reading, plan.board, "gce(q=0.5)")
    assert found["params"].tolist() == [{"q": 0.5}, {"q": 0.5}]
    assert found[["dataset_name", "noise_name"]].values.tolist() == [
        ["digits", "clean"],
        ["digits", "symmetric"],
    ]


def test_the_latest_ends_come_first_and_are_counted_from_a_moment_on(
    reading: Connection, plan: Plan
) -> None:
    found = recent.latest(reading, plan.board, 3)
    assert len(found) == 3
    assert list(found["ended_at"]) == sorted(found["ended_at"], reverse=True)
    assert found["ended_at"][0] == "2026-01-02T03:05:35.000Z"
    assert set(found["status"][:2]) == {"done", "crashed"}
    assert recent.ended_since(reading, plan.board, START) == 12
    assert recent.ended_since(reading, plan.board, START + timedelta(seconds=40)) == 2
    assert recent.ended_since(reading, plan.board, START + timedelta(hours=1)) == 0
    assert recent.ended_since(reading, "another board", START) == 0
