"""Seeds trained together by workers: each has its own job, its own outcome and its own failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.engines.local import LocalEngine, LocalSettings
from bench.engines.protocol import Workplace
from bench.engines.waiting import Waiting
from bench.execute import Machine, build_session, execute
from bench.plan import make_plan
from bench.records import Outcome
from bench.registry import Registry, discover
from bench.spec import load_suite
from bench.stacking import LARGEST, Along, groups
from bench.training_spec import TrainingSpec

SUITE = """
suite: stacked-jobs
datasets: [digits]
noises: [{symmetric: {rate: 0.2}}, {symmetric: {rate: 0.5}}]
methods: METHODS
refiners: [off, lip]
seeds: 3
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 128}
"""

DYING = """
from __future__ import annotations

import os

from bench.api import loss
from torch import Tensor, nn


@loss(name="dying", paper="a test")
def dying(logits: Tensor, targets: Tensor) -> Tensor:
    \"\"\"Cross entropy that ends its process at the first batch it is told of.\"\"\"
    if os.path.exists(os.environ["LIPBENCH_TEST_DIE"]):
        os.unlink(os.environ["LIPBENCH_TEST_DIE"])
        os._exit(3)
    return nn.functional.cross_entropy(logits, targets, reduction="none")
"""


@pytest.fixture
def plan(tmp_path: Path, data_dir: Path) -> Callable[..., list[TrainingSpec]]:
    def trainings(registry: Registry, methods: str) -> list[TrainingSpec]:
        path = tmp_path / "suite.yaml"
        path.write_text(SUITE.replace("METHODS", methods))
        made = make_plan(load_suite(str(path), None, registry), registry, data_dir)
        return list(made.trainings)

    return trainings


def engine(tmp_path: Path, data_dir: Path, **settings: object) -> LocalEngine:
    made = LocalSettings(
        data_dir=data_dir,
        workplace=Workplace.beside(tmp_path / "x.db"),
        plugins=(),
        jobs=1,
        device="cpu",
        threads=1,
    )
    return LocalEngine(replace(made, **settings))


def results(outcome: Outcome) -> tuple[object, ...]:
    """What a training found, without what it took, as it is once it was written down."""
    outcome = Outcome.loads(outcome.dumps())
    epochs = tuple(replace(e, wall_s=0.0) for e in outcome.epochs)
    evaluations = tuple(replace(e, wall_s=0.0) for e in outcome.evaluations)
    counted = (outcome.status, outcome.samples, outcome.n_parameters)
    return counted, epochs, evaluations, outcome.spectra


def log_of(tmp_path: Path, spec: TrainingSpec) -> str:
    return Workplace.beside(tmp_path / "x.db").log(spec).read_text()


def test_groups_are_the_seeds_of_a_cell_in_order(
    plan: Callable[..., list[TrainingSpec]], registry: Registry
) -> None:
    trainings = plan(registry, "[ce, elr]")
    found = groups(trainings)
    assert [len(group) for group in found] == [3, 3, 3, 3]
    assert [one for group in found for one in group] == trainings
    for group in found:
        assert len({(one.noise.label, one.method) for one in group}) == 1
    many = [replace(trainings[0], seed=seed, key=str(seed)) for seed in range(LARGEST + 2)]
    assert [len(group) for group in groups(many)] == [LARGEST, 2]


def test_a_group_is_taken_apart_where_other_slots_would_have_nothing_to_do(
    plan: Callable[..., list[TrainingSpec]], registry: Registry
) -> None:
    waiting = Waiting(plan(registry, "[ce]"), 2, stack=True)
    taken = []
    while group := waiting.take():
        taken.append(len(group))
    assert taken == [3, 1, 1, 1]


def test_workers_train_seeds_together_with_the_outcomes_of_one_by_one(
    plan: Callable[..., list[TrainingSpec]], registry: Registry, tmp_path: Path, data_dir: Path
) -> None:
    trainings = plan(registry, "[ce, co-teaching]")
    seen: list[tuple[str, int]] = []
    found = {
        spec.key: outcome
        for spec, outcome, _ in engine(tmp_path, data_dir).run(
            trainings, lambda spec, epoch: seen.append((spec.key, epoch))
        )
    }
    machine = Machine(data_dir, "cpu", 1)
    for spec in trainings:
        assert set(seen) >= {(spec.key, 1), (spec.key, 2)}
        alone = execute(spec, registry, machine, lambda record: None)
        assert results(found[spec.key]) == results(alone), spec.name
    first_ce = next(t for t in trainings if t.method == "ce")
    assert "seed 0 is trained together with seeds 1, 2" in log_of(tmp_path, first_ce)
    first_own = next(t for t in trainings if t.method == "co-teaching")
    assert "not stacked: the method has a training loop of its own" in log_of(tmp_path, first_own)
    walls = [found[t.key].wall_s for t in trainings if t.method == "ce"]
    assert min(walls) > 0


def test_nothing_is_stacked_where_that_is_not_wanted(
    plan: Callable[..., list[TrainingSpec]], registry: Registry
) -> None:
    waiting = Waiting(plan(registry, "[ce]"), 1, stack=False)
    assert [len(waiting.take()) for _ in range(7)] == [1] * 6 + [0]


def test_a_crash_of_seeds_trained_together_is_not_blamed_on_the_first(
    plan: Callable[..., list[TrainingSpec]],
    tmp_path: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flag, plugin = tmp_path / "die", tmp_path / "dying.py"
    plugin.write_text(DYING)
    flag.touch()
    monkeypatch.setenv("LIPBENCH_TEST_DIE", str(flag))
    trainings = plan(discover([plugin]), "[dying]")[:3]
    found = list(engine(tmp_path, data_dir, plugins=(plugin,)).run(trainings))
    assert [outcome.status for _, outcome, _ in found] == ["done"] * 3


def test_seconds_of_a_stack_are_told_as_shares(
    plan: Callable[..., list[TrainingSpec]], registry: Registry, data_dir: Path
) -> None:
    trainings = plan(registry, "[ce]")[:3]
    along = Along(lambda spec: build_session(spec, registry, data_dir, torch.device("cpu")))
    machine = Machine(data_dir, "cpu", 1)
    outcomes = []
    for number, spec in enumerate(trainings):
        along.expect(spec, trainings[number + 1 :])
        outcomes.append(execute(spec, registry, machine, lambda record: None, None, along))
    trained = [outcome.train_s or 0.0 for outcome in outcomes]
    assert max(trained) < 2 * min(trained)
    assert all(o.wall_s > (o.train_s or 0.0) for o in outcomes)
