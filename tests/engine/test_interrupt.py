"""A training that is asked to end is saved, and goes on from there when it is run again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bench.engines.local import LocalEngine, LocalSettings
from bench.engines.protocol import Workplace
from bench.execute import Machine, execute
from bench.plan import Plan, make_plan
from bench.records import Outcome
from bench.registry import Registry, discover
from bench.runner import run, sort_out, tidy
from bench.spec import load_suite
from bench.store.database import open_writer
from bench.store.plans import record_plan
from bench.training.keeping import kept
from bench.training_spec import TrainingSpec

SLOW = '''"""Cross entropy that takes its time."""

from __future__ import annotations

import time

import torch

from bench.api import Method


class Slow(Method):
    """Half a second an epoch."""

    name = "slow"
    paper = "none"

    def loss(self, batch):
        return torch.nn.functional.cross_entropy(self.logits(batch.x), batch.y, reduction="none")

    def on_epoch_end(self, epoch):
        time.sleep(0.5)
'''

SUITE = """
suite: slow
datasets: [digits]
noises: [clean]
methods: [slow]
refiners: [off]
seeds: 1
protocol: {backbone: {mlp: {width: 8, depth: 1}}, epochs: 8, batch_size: 256}
"""


@dataclass
class Watched:
    """A suite of one slow training, and what its runs told of.

    Attributes:
        heard: epochs of the last run.
    """

    plan: Plan
    registry: Registry
    settings: LocalSettings
    folder: Path
    heard: list[int] = field(default_factory=list)

    @property
    def training(self) -> TrainingSpec:
        """The only one."""
        return self.plan.trainings[0]

    def run(self, at_epoch: Callable[[int], None] = lambda epoch: None) -> list[Outcome]:
        """Run what is missing, or failed, as the command line does; gives what was committed."""
        self.heard.clear()
        committed: list[Outcome] = []

        def on_epoch(spec: TrainingSpec, epoch: int) -> None:
            self.heard.append(epoch)
            at_epoch(epoch)

        def on_finished(spec: TrainingSpec, outcome: Outcome) -> None:
            committed.append(outcome)

        with open_writer(self.folder / "slow.db") as db:
            record_plan(db, self.plan, self.registry)
            todo = sort_out(db.conn, self.plan.trainings, "failed")
            tidy(self.settings.workplace, todo.done)
            run(
                *(db, LocalEngine(self.settings), todo.run),
                on_epoch=on_epoch,
                on_finished=on_finished,
                workplace=self.settings.workplace,
            )
        return committed

    def undisturbed(self) -> list[float | None]:
        """Losses of a training in this process."""
        machine = Machine(self.settings.data_dir, "cpu", 1)
        outcome = execute(self.training, self.registry, machine, lambda record: None)
        return [record.train_loss for record in outcome.epochs]


@pytest.fixture
def watched(tmp_path: Path, data_dir: Path) -> Watched:
    """The suite, on one slot, saved seldom by itself."""
    plugin, suite = tmp_path / "slow.py", tmp_path / "suite.yaml"
    plugin.write_text(SLOW)
    suite.write_text(SUITE)
    registry = discover([plugin])
    plan = make_plan(load_suite(str(suite), None, registry), registry, data_dir)
    place = Workplace.beside(tmp_path / "slow.db")
    settings = LocalSettings(data_dir, place, (plugin,), 1, "cpu", 1, checkpoint_every="60min")
    return Watched(plan, registry, settings, tmp_path)


def assert_goes_on(watched: Watched) -> None:
    """The next run begins in the middle and ends as if nothing had been."""
    (outcome,) = watched.run()
    assert watched.heard[0] >= 2
    assert watched.heard[-1] == 8
    assert [record.train_loss for record in outcome.epochs] == watched.undisturbed()
    assert kept(watched.settings.workplace.checkpoints) == []


def test_a_worker_that_a_scheduler_ends_is_not_a_failure_and_goes_on_in_the_next_run(
    watched: Watched,
) -> None:
    workers: list[int] = []

    def preempt(epoch: int) -> None:
        if epoch == 2:
            workers.extend(children())
            os.kill(workers[0], signal.SIGTERM)

    assert watched.run(preempt) == []  # nothing is recorded
    assert kept(watched.settings.workplace.checkpoints) == [watched.training.key]
    assert_goes_on(watched)


def test_ctrl_c_lets_epochs_end_and_be_saved(watched: Watched) -> None:
    def interrupt(epoch: int) -> None:
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        watched.run(interrupt)
    assert kept(watched.settings.workplace.checkpoints) == [watched.training.key]
    assert_goes_on(watched)


def test_a_training_over_its_time_limit_is_recorded_and_goes_on_when_it_is_tried_again(
    watched: Watched,
) -> None:
    unlimited = watched.settings
    watched.settings = replace(unlimited, time_limit_s=2.5)
    (outcome,) = watched.run()
    assert outcome.status == "timeout"
    watched.settings = unlimited
    assert_goes_on(watched)


def test_without_checkpoints_a_worker_ends_at_once_and_the_next_run_begins_anew(
    watched: Watched,
) -> None:
    watched.settings = replace(watched.settings, checkpoint_every="off")

    def preempt(epoch: int) -> None:
        if epoch == 2:
            os.kill(children()[0], signal.SIGTERM)

    (outcome,) = watched.run(preempt)
    assert outcome.status == "crashed"
    assert watched.heard[-1] == 2
    assert kept(watched.settings.workplace.checkpoints) == []


def children() -> list[int]:
    """Processes that this one has started."""
    found = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", "bench.worker"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(line) for line in found.stdout.split()]
