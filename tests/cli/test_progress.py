"""The progress bar of a run."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path

from bench.cli.progress import RunProgress
from bench.plan import make_plan
from bench.registry import Registry
from bench.spec import load_suite


def test_costs_that_are_no_binary_fractions_never_push_the_bar_past_its_end(
    registry: Registry, data_dir: Path
) -> None:
    plan = make_plan(load_suite("digits", "smoke", registry), registry, data_dir)
    trainings = [replace(t, cost=1 / 3 + 0.1 * i) for i, t in enumerate(plan.trainings)]
    out = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bar = RunProgress(trainings, out)
        for training in trainings:
            for epoch in range(1, training.protocol["epochs"] + 1):
                bar.epoch(training, epoch)
        bar.close()
    assert "100%" in out.getvalue()
