"""A plugin may be edited while a suite runs: what was planned gets no results of new code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.execute import Machine, execute
from bench.plan import Plan, make_plan
from bench.records import Outcome
from bench.registry import Registry, discover
from bench.spec import load_suite
from bench.training_spec import TrainingSpec

PLUGIN = '''"""A loss on a scale."""

from __future__ import annotations

import torch

from bench.api import loss


@loss(name="NAME", paper="none")
def scaled(logits, targets):
    return 1.0 * torch.nn.functional.cross_entropy(logits, targets, reduction="none")
'''

SUITE = """
suite: edited
datasets: [digits]
noises: [clean]
methods: [NAME]
refiners: [off]
seeds: 2
protocol: {backbone: {mlp: {width: 8, depth: 1}}, epochs: 1, batch_size: 256}
"""

Planned = Callable[[], tuple[Plan, Registry]]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin file that no other test has imported."""
    path = tmp_path / f"{tmp_path.name}.py"
    path.write_text(PLUGIN.replace("NAME", tmp_path.name))
    return path


@pytest.fixture
def planned(plugin: Path, tmp_path: Path, data_dir: Path) -> Planned:
    """``planned()``: the suite as it would be planned now."""
    suite = tmp_path / "suite.yaml"
    suite.write_text(SUITE.replace("NAME", tmp_path.name))

    def plan() -> tuple[Plan, Registry]:
        registry = discover([plugin])
        return make_plan(load_suite(str(suite), None, registry), registry, data_dir), registry

    return plan


def edit(plugin: Path) -> None:
    plugin.write_text(plugin.read_text().replace("1.0 *", "2.0 *"))


def train(spec: TrainingSpec, registry: Registry, data_dir: Path) -> Outcome:
    return execute(spec, registry, Machine(data_dir, "cpu", 1), lambda record: None)


def test_a_process_that_has_the_code_keeps_it_and_a_new_plan_has_new_keys(
    plugin: Path, planned: Planned, data_dir: Path
) -> None:
    plan, registry = planned()
    first = train(plan.trainings[0], registry, data_dir)
    edit(plugin)
    second = train(plan.trainings[1], registry, data_dir)
    assert (first.status, second.status) == ("done", "done")
    anew, _ = planned()
    assert not {t.key for t in anew.trainings} & {t.key for t in plan.trainings}


def test_a_process_that_imports_later_refuses_the_old_key(
    plugin: Path, planned: Planned, data_dir: Path, forget_modules: Callable[[], None]
) -> None:
    plan, _ = planned()
    forget_modules()
    registry = discover([plugin])  # from the catalogue: the file is not imported yet
    edit(plugin)
    outcome = train(plan.trainings[0], registry, data_dir)
    assert outcome.status == "failed"
    assert "was edited since the plan was made; run again" in outcome.error


def test_a_process_that_starts_later_refuses_the_old_key(
    plugin: Path, planned: Planned, data_dir: Path, forget_modules: Callable[[], None]
) -> None:
    plan, _ = planned()
    edit(plugin)
    forget_modules()
    outcome = train(plan.trainings[0], discover([plugin]), data_dir)
    assert "was edited since the plan was made; run again" in outcome.error


@pytest.fixture
def forget_modules(plugin: Path) -> Callable[[], None]:
    """Makes this process one that has not imported the plugin."""

    def forget() -> None:
        sys.modules.pop(f"lipbench_plugin_{plugin.stem}", None)

    return forget
