"""Epochs with inputs streamed from a memory map, as a ratio to inputs on the device.

    python benchmarks/streamed_inputs.py

10,000 made-up colour images of 32 x 32 and a small CNN; both trainings take an epoch in turn, on
one thread or on the GPU. The file is in the page cache: what is measured is the way from there.
The bar: streaming takes at most 15 % longer (exit 1 where it is missed).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from measure import Measure, peak_mib, report

from bench.api import DataInfo, Split
from bench.data.noise import NoiseArtefact
from bench.protocol import Named, Protocol
from bench.registry import discover
from bench.training.session import Session

N, N_CLASSES, SIDE = 10_000, 10, 32
REPEATS = 5
BAR = 1.15


def main() -> int:
    """Print the ratio."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        train, test = (split(Path(folder), part, n) for part, n in (("train", N), ("test", 100)))
        resident, mapped = (
            epochs(session(train, test, device, wanted)) for wanted in ("always", "never")
        )
        next(resident), next(mapped)
        pairs = [(next(resident), next(mapped)) for _ in range(REPEATS)]
    plain, read = (statistics.median(column) for column in zip(*pairs, strict=True))
    streamed = Measure(
        "an epoch of streamed inputs over one of inputs on the device",
        read / plain,
        "x",
        at_most=BAR,
        peak_mib=peak_mib(),
        note=f"{read:.2f} s against {plain:.2f} s; {N:,} images of {SIDE} x {SIDE}, {device.type}",
    )
    return report([streamed])


def split(folder: Path, part: str, n: int) -> Split:
    """Random images as a prepared data set has them."""
    rng = np.random.default_rng(0)
    np.save(folder / f"{part}.npy", rng.integers(0, 256, (n, SIDE, SIDE, 3), dtype=np.uint8))
    inputs = np.load(folder / f"{part}.npy", mmap_mode="r")
    return Split(inputs, rng.integers(0, N_CLASSES, n), np.arange(n))


def session(train: Split, test: Split, device: torch.device, wanted: str) -> Session:
    """A training with cross entropy."""
    os.environ["LIPBENCH_RESIDENT"] = wanted
    registry = discover()
    names = tuple(map(str, range(N_CLASSES)))
    return Session(
        method=registry.create("method", "ce", {}),
        backbone=registry.create("backbone", "small-cnn", {"width": 16}),
        protocol=Protocol(
            backbone=Named(name="small-cnn"), epochs=REPEATS + 1, augmentation=("crop", "flip")
        ),
        info=DataInfo("made-up", "0" * 64, N, len(test.labels), names, (3, SIDE, SIDE)),
        train=train,
        test=test,
        artefact=NoiseArtefact("given", train.labels, 0.0, None, None),
        seed=0,
        device=device,
    )


def epochs(made: Session) -> Iterator[float]:
    """Seconds of each epoch, evaluation included."""
    records = made.epochs()
    while True:
        started = time.perf_counter()
        next(records)
        yield time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
