"""Our training loop, and the network alone, on random images; for the benchmarks of speed.

Images are drawn bytes of CIFAR's shape: what a step costs does not depend on what they show.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from measure import MIB, peak_mib
from torch.nn import functional as F

from bench.api import Backbone, DataInfo, Method, Split
from bench.backbones.resnet import PreActResNet18, ResNet34
from bench.backbones.small_cnn import SmallCNN
from bench.data.noise import NoiseArtefact
from bench.environment import environment
from bench.freed import keep_freed_memory
from bench.protocol import Named, Protocol
from bench.training.optimise import build_optimiser
from bench.training.precision import resolve, same_bits_twice
from bench.training.session import Session

N_CLASSES, SHAPE = 10, (3, 32, 32)
EPOCH = 20
"""Of 200: past every warm-up, and where Co-teaching has reached its share."""
BACKBONES: dict[str, type[Backbone]] = {b.name: b for b in (SmallCNN, PreActResNet18, ResNet34)}


def random_images(n: int, seed: int = 0) -> Split:
    """``n`` images 32x32x3 uint8 and labels in ten classes."""
    rng = np.random.default_rng(seed)
    channels, height, width = SHAPE
    pixels = rng.integers(0, 256, (n, height, width, channels), dtype=np.uint8)
    return Split(pixels, rng.integers(0, N_CLASSES, n), np.arange(n, dtype=np.int64))


def session(
    method: Method, backbone: str, data: Split, batch_size: int, device: torch.device
) -> Session:
    """A training of a method under the protocol of the CIFAR suites, all images in the batches."""
    names = tuple(str(label) for label in range(N_CLASSES))
    return Session(
        method=method,
        backbone=BACKBONES[backbone](),
        protocol=Protocol(
            backbone=Named(name=backbone),
            epochs=200,
            batch_size=batch_size,
            augmentation=("crop", "flip"),
            noisy_validation=0,
        ),
        info=DataInfo("random", "random", len(data.labels), 10, names, SHAPE),
        train=data,
        test=random_images(10, seed=1),
        artefact=NoiseArtefact("random", data.labels, 0.5, None, None),
        seed=0,
        device=device,
    )


@contextmanager
def as_in_a_worker() -> Iterator[None]:
    """Only algorithms that give the same bits twice, as the engine's workers choose them."""
    before = torch.are_deterministic_algorithms_enabled()
    same_bits_twice()
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def our_epoch(trained: Session) -> float:
    """One pass of a method over its images as the engine makes it, without evaluation."""
    with as_in_a_worker():
        trained.run.begin_epoch(EPOCH)
        for network in trained.networks:
            network.train()
        return trained.method.train_epoch(EPOCH)


class BareNetwork:
    """Forward, backward and optimiser step on batches that are ready, and nothing else.

    The network is a copy of a session's first one, in its layout and precision.
    """

    def __init__(self, trained: Session) -> None:
        self._network = deepcopy(trained.networks[0]).train()
        settings = trained.protocol.optimiser
        self._optimiser = build_optimiser(settings, self._network.parameters())
        self._batches = [(batch.x, batch.y) for batch in trained.run.batches(EPOCH)]

    def __call__(self) -> None:
        """One pass over the batches."""
        with as_in_a_worker():
            for x, y in self._batches:
                self._optimiser.zero_grad(set_to_none=True)
                F.cross_entropy(self._network(x), y).backward()
                self._optimiser.step()


@dataclass
class Watched:
    """Something that is run to its end, on the device too, and its peak memory.

    Attributes:
        run: what is timed.
        device: that is waited for.
        peak_mib: the largest of any run: of the GPU where there is one, else of the process.
    """

    run: Callable[[], object]
    device: torch.device
    peak_mib: float = field(default=0.0, init=False)

    def __call__(self) -> None:
        """Run once."""
        forget_peak(self.device)
        self.run()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.peak_mib = max(self.peak_mib, peak_since(self.device))


def forget_peak(device: torch.device) -> None:
    """Let ``peak_since`` begin anew; Linux can, elsewhere the peak is that of the process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif os.access("/proc/self/clear_refs", os.W_OK):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_since(device: torch.device) -> float:
    """Peak memory in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else peak_mib()


def chosen_device(name: str) -> torch.device:
    """``auto`` is a GPU where there is one."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def prepared(name: str) -> torch.device:
    """The device asked for, in a process that keeps its memory as a worker of the engine does."""
    keep_freed_memory()
    device = chosen_device(name)
    print(machine(device), flush=True)
    return device


def machine(device: torch.device) -> str:
    """What a figure depends on, in one line."""
    facts = environment()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else facts.cpu
    return (
        f"{name}, {len(os.sched_getaffinity(0))} cores, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}; our loop computes in {resolve('auto', device)}"
    )
