"""Seconds an epoch of every method, as a ratio to cross entropy in the same run.

    python benchmarks/method_cost.py [METHOD ...]

Each method trains twice for four epochs on digits at symmetric 0.5 with the zoo's protocol, in turn
with cross entropy, one thread. The ratio of the faster of both is printed beside the declared cost
(forward-and-backward passes a sample).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import torch

from bench.data.prepared import read_info
from bench.execute import build_session
from bench.plan import make_plan
from bench.registry import Registry, discover
from bench.spec import load_suite
from bench.training_spec import TrainingSpec

SUITE = """
suite: method-cost
extends: zoo
noises: [{symmetric: {rate: 0.5}}]
seeds: [0]
protocol: {epochs: 4}
"""


def main() -> None:
    """Print a line a method."""
    torch.set_num_threads(1)
    registry = discover()
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "suite.yaml"
        suite.write_text(SUITE, encoding="utf-8")
        read_info("digits", Path(folder), registry)
        plan = make_plan(load_suite(str(suite), "short", registry), registry, Path(folder))
        trainings = {training.method: training for training in plan.trainings}
        for method in sys.argv[1:] or trainings:
            pairs = [(trainings["ce"], trainings[method]) for _ in range(2)]
            found = [[seconds(t, registry, Path(folder)) for t in pair] for pair in pairs]
            reference, own = (min(column) for column in zip(*found, strict=True))
            declared = trainings[method].cost
            print(f"{method:20s} {own / reference:6.2f} x ce   declared {declared:g}", flush=True)


def seconds(training: TrainingSpec, registry: Registry, data_dir: Path) -> float:
    """Of four epochs, evaluation included."""
    session = build_session(training, registry, data_dir, torch.device("cpu"))
    started = time.perf_counter()
    for _ in session.epochs():
        pass
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
