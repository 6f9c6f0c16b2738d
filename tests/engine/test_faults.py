"""Whatever a training does to its process, the suite goes on and the row says what happened."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.engines.heartbeat import is_alive
from bench.engines.local import LocalEngine, LocalSettings
from bench.engines.protocol import Workplace
from bench.engines.watch import LOG_BYTES
from bench.plan import make_plan
from bench.records import Outcome
from bench.registry import discover
from bench.spec import load_suite

RARER = ("hungry-once", "killed-once", "leaks", "chatters", "forks", "garbles")

SUITE = """
suite: faults
datasets: [digits]
noises: [clean]
methods: [%s]
refiners: [off]
seeds: 1
protocol: {backbone: {mlp: {width: 8, depth: 1}}, epochs: 3, batch_size: 256}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the database of the suite would lie."""
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def outcomes(folder: Path, misbehaving: Path, data_dir: Path) -> dict[str, Outcome]:
    """One suite of every misbehaviour, a healthy training at both ends, on one slot."""
    suite = folder / "suite.yaml"
    suite.write_text(
        SUITE % f"ce, goes-nan, raises, exits, hangs, hungry, {', '.join(RARER)}, fine"
    )
    registry = discover([misbehaving])
    plan = make_plan(load_suite(str(suite), None, registry), registry, data_dir)
    place = Workplace.beside(folder / "faults.db")
    settings = LocalSettings(data_dir, place, (misbehaving,), 1, "cpu", 1, time_limit_s=8.0)
    settings = replace(settings, memory_limit_bytes=3 * 2**29, grace_s=0.5)
    engine = LocalEngine(replace(settings, checkpoint_every="1epochs"))
    return {spec.method: outcome for spec, outcome, _ in engine.run(plan.trainings)}


@pytest.mark.parametrize(
    ("method", "status", "error"),
    [
        ("ce", "done", ""),
        ("goes-nan", "diverged", "the training loss is nan in epoch 2"),
        ("raises", "failed", "RuntimeError: deliberate"),
        ("exits", "crashed", "the worker process ended (exit status 7)"),
        ("hangs", "timeout", "ended after 8 s (time limit)"),
        ("hungry", "oom", "deliberate"),
        ("hungry-once", "done", ""),
        ("killed-once", "done", ""),
        ("leaks", "oom", "the worker occupied more than 1.5 GiB (memory limit) (twice"),
        ("chatters", "done", ""),
        ("forks", "done", ""),
        ("garbles", "crashed", "lost its way"),
        ("fine", "done", ""),
    ],
)
def test_every_way_to_end_is_told_apart(
    method: str, status: str, error: str, outcomes: dict[str, Outcome]
) -> None:
    assert outcomes[method].status == status
    assert error in outcomes[method].error


def test_a_failure_carries_its_traceback_and_the_path_of_its_log(
    outcomes: dict[str, Outcome], folder: Path
) -> None:
    outcome = outcomes["raises"]
    assert "misbehaving.py" in outcome.traceback
    assert outcome.log.startswith("runs/faults/logs/")
    assert "about to raise" in (folder / outcome.log).read_text()


def test_a_diverged_training_keeps_the_epochs_before(outcomes: dict[str, Outcome]) -> None:
    assert [record.epoch for record in outcomes["goes-nan"].epochs] == [1]
    assert outcomes["goes-nan"].evaluations == ()


def test_a_failure_leaves_no_trace_on_the_next_training(
    outcomes: dict[str, Outcome],
) -> None:
    sound = ("ce", "fine", "hungry-once", "killed-once", "chatters", "forks")
    losses = {m: [record.train_loss for record in outcomes[m].epochs] for m in sound}
    assert losses == dict.fromkeys(sound, losses["ce"])


def test_out_of_memory_is_tried_once_more_and_then_recorded(outcomes: dict[str, Outcome]) -> None:
    assert "(twice; the second time alone on its device)" in outcomes["hungry"].error
    assert "twice" not in outcomes["exits"].error


def test_a_log_without_end_keeps_its_head_and_its_tail(
    outcomes: dict[str, Outcome], folder: Path
) -> None:
    text = (folder / outcomes["chatters"].log).read_text()
    assert len(text) < LOG_BYTES
    assert text.index("first words") < text.index("bytes cut out") < text.index("last words")


def test_what_a_training_forked_ends_with_its_worker(
    outcomes: dict[str, Outcome], misbehaving: Path
) -> None:
    sleeper = int(misbehaving.with_suffix(".sleeper").read_text())
    deadline = time.monotonic() + 10
    while is_alive(sleeper) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(sleeper)


def test_an_outcome_survives_the_way_through_its_file(
    outcomes: dict[str, Outcome], tmp_path: Path
) -> None:
    for outcome in outcomes.values():
        assert Outcome.loads(outcome.dumps()) == outcome
