"""Whether ``torch.compile`` pays: seconds a training step, as it is and compiled, in turn.

    python benchmarks/compiled_network.py [BACKBONE ...]

One thread on a CPU, the GPU where there is one. ``compile: auto`` leaves networks as they are on a
CPU: the bar is missed (exit 1) where that costs more than a tenth.
"""

from __future__ import annotations

import logging
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from bench.registry import discover
from bench.training.compiled import SETTLED
from bench.training.network import ClassifierNetwork, build_network
from bench.training.precision import resolve

CASES: dict[str, tuple[dict[str, Any], tuple[int, ...], int, int]] = {
    "small-cnn": ({"width": 8}, (1, 8, 8), 128, 200),
    "preact-resnet18": ({"width": 64}, (3, 32, 32), 16, 7),
}
"""Parameters, shape of a sample, batch size on a CPU, and steps that are timed."""
BAR = 1.1


def main() -> int:
    """Print a line a network."""
    logging.basicConfig(level=logging.WARNING)
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    missed = False
    for name in sys.argv[1:] or CASES:
        params, shape, size, repeats = CASES[name]
        if device.type == "cuda":
            size, repeats = 128, 100
        backbone = discover().create("backbone", name, params)
        steps = [
            step(
                build_network(
                    backbone,
                    shape,
                    10,
                    seed=0,
                    device=device,
                    precision=resolve("auto", device),
                    compiled=compiled,
                ),
                size,
                shape,
            )
            for compiled in (False, True)
        ]
        started = time.perf_counter()
        for _ in range(SETTLED):
            steps[1]()
        settling_s = time.perf_counter() - started
        plain, compiled = (
            statistics.median(column)
            for column in zip(*([seconds(f) for f in steps] for _ in range(repeats)), strict=True)
        )
        gain = plain / compiled
        print(
            f"{name} {shape}, batches of {size}, {device.type}: {1e3 * plain:.1f} ms a step, "
            f"compiled {1e3 * compiled:.1f} ms: {gain:.2f} x as quick, after {settling_s:.0f} s"
        )
        missed |= device.type == "cpu" and gain > BAR
    print(f"bar: compiled at most {BAR} x as quick on a CPU: {'missed' if missed else 'met'}")
    return int(missed)


def step(network: ClassifierNetwork, size: int, shape: tuple[int, ...]) -> Callable[[], None]:
    """One step of cross entropy on a fixed batch."""
    device = network.head.weight.device
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(size, *shape, generator=draws).to(device)
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (size,), generator=draws).to(device)
    fused = device.type == "cuda" or None
    optimiser = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, fused=fused)
    return partial(_step, network, optimiser, x, y)


def _step(
    network: ClassifierNetwork,
    optimiser: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
) -> None:
    optimiser.zero_grad(set_to_none=True)
    F.cross_entropy(network(x), y).backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    if x.device.type == "cuda":
        torch.cuda.synchronize()


def seconds(function: Callable[[], None]) -> float:
    """Of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
