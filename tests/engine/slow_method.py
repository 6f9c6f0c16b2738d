"""A method with a pause after every epoch, so that there is time to disturb its training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.plan import make_plan
from bench.records import Outcome
from bench.registry import discover
from bench.spec import load_suite
from bench.training_spec import TrainingSpec

PLUGIN = '''"""A method that takes its time."""

from __future__ import annotations

import time

import torch

from bench.api import Method


class Slow(Method):
    """Cross entropy, with a pause."""

    name = "slow"
    paper = "none"

    def loss(self, batch):
        return torch.nn.functional.cross_entropy(self.logits(batch.x), batch.y, reduction="none")

    def on_epoch_end(self, epoch):
        time.sleep(0.4)
'''

SUITE = """
suite: spread
datasets: [digits]
noises: [{symmetric: {rate: 0.4}}]
methods: [slow]
refiners: [off, lip]
seeds: 3
protocol: {backbone: {mlp: {width: 8, depth: 1}}, epochs: 6, batch_size: 256}
"""


def write_plugin(folder: Path) -> Path:
    """The plugin's file."""
    path = folder / "slow.py"
    path.write_text(PLUGIN)
    return path


def planned(folder: Path, plugin: Path, data_dir: Path) -> tuple[TrainingSpec, ...]:
    """Three trainings of three seconds each."""
    suite = folder / "suite.yaml"
    suite.write_text(SUITE)
    registry = discover([plugin])
    return make_plan(load_suite(str(suite), None, registry), registry, data_dir).trainings


def measured(outcome: Outcome) -> tuple[Any, ...]:
    """All that a training measured but its times."""
    return (
        outcome.status,
        [replace(epoch, wall_s=0.0) for epoch in outcome.epochs],
        [replace(evaluation, wall_s=0.0) for evaluation in outcome.evaluations],
        outcome.spectra,
    )
