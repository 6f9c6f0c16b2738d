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
from made_up_runs import Fate, ended, evaluated, planned, write_database

from bench.plan import Plan
from bench.records import Evaluation, Outcome
from bench.registry import Registry
from bench.stats import gains as paired
from bench.stats.leaderboard import cells
from bench.stats.one_method import with_interval
from bench.store import coverage, method_cells, reader, recent
from bench.store.database import open_reader
from bench.training_spec import TrainingSpec

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


def tried(spec: TrainingSpec, status: str = "done", minute: int = 0, error: str = "") -> Outcome:
    """An attempt that took 30 seconds."""
    well = status == "done"
    return ended(
        spec,
        status,
        error or ("" if well else f"it {status}"),
        started_at=(START + timedelta(minutes=minute)).isoformat("T", "milliseconds"),
        wall_s=30.0,
        traceback="" if well else "Traceback: deep",
        log="runs/some.log",
        train_s=2.0 if spec.method == "ce" else 3.0,
        peak_memory_bytes=1000 + spec.seed,
        n_parameters=50,
        evaluations=evaluations(spec) if well else (),
    )


def evaluations(spec: TrainingSpec, broken: str = "", without: str = "") -> tuple[Evaluation, ...]:
    """Every evaluation of the plan, one of them broken and one left out."""
    found = []
    for refiner in spec.refiners:
        value = 0.8 + 0.01 * spec.seed + (0.02 if refiner.name == "lip" else 0)
        if refiner.name == broken:
            found.append(evaluated(refiner, None, error="rank 0"))
        elif refiner.name != without:
            found.append(evaluated(refiner, value, k=None))
    return tuple(found)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, registry: Registry, data_dir: Path) -> Plan:
    return planned(SUITE, tmp_path_factory.mktemp("suite"), registry, data_dir)


@pytest.fixture(scope="module")
def filled(
    plan: Plan, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Fate], Connection]:
    """``filled(fate)``: a reader of a database in which this became of each training."""
    return lambda fate: open_reader(
        write_database(tmp_path_factory.mktemp("filled") / "some.db", plan, registry, fate)
    )


def history(spec: TrainingSpec) -> list[Outcome]:
    """CE is done but for one seed under noise; gce misses one and fails, or mends it, elsewhere."""
    if spec.method == "ce":
        return [] if spec.noise.name == "symmetric" and spec.seed == 1 else [tried(spec)]
    if spec.noise.name == "clean":
        tries = {0: ["diverged", "done"], 1: ["oom", "crashed"], 2: []}[spec.seed]
        return [tried(spec, status, minute) for minute, status in enumerate(tries)]
    broken = replace(tried(spec), evaluations=evaluations(spec, broken="lip"))
    never = replace(tried(spec), evaluations=evaluations(spec, without="lip"))
    return [[broken], [never], [tried(spec)]][spec.seed]


@pytest.fixture(scope="module")
def reading(filled: Callable[[Fate], Connection]) -> Iterator[Connection]:
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
    filled: Callable[[Fate], Connection], plan: Plan
) -> None:
    with closing(filled(lambda spec: [tried(spec)])) as connection:
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
