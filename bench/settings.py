"""Facts of this machine: where things are and what runs them. None of it enters an identity."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, nearest

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
RESIDENCE = ("auto", "always", "never")
GRAPHS = ("auto", "never")


@dataclass(frozen=True)
class Settings:
    """Options that every command shares; each has an environment variable of its own."""

    db: Path
    data_dir: Path
    device: str = "auto"
    jobs: int | None = None
    threads: int | None = None
    gpus: tuple[str, ...] = ()
    slots_per_gpu: int = 1
    stack: bool = True

    @property
    def cores(self) -> int:
        """Cores this process may use."""
        return (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )

    def resolved_device(self) -> str:
        """The device that ``auto`` means here. Imports torch only when it must look."""
        if self.device not in DEVICES:
            raise BenchError(f"unknown device {self.device!r}{nearest(self.device, DEVICES)}")
        if self.device == "cpu":
            return "cpu"
        import torch

        available: dict[str, Callable[[], bool]] = {
            "cuda": torch.cuda.is_available,
            "mps": torch.backends.mps.is_available,
            "xpu": lambda: hasattr(torch, "xpu") and torch.xpu.is_available(),
        }
        if self.device == "auto":
            return next((name for name, is_there in available.items() if is_there()), "cpu")
        if not available[self.device]():
            raise BenchError(
                f"device {self.device!r} is not available to torch {torch.__version__} here; "
                f"use --device auto"
            )
        return self.device

    def resolved_jobs(self, device: str, trainings: int) -> int:
        """Slots: as asked, else those of each accelerator, else what the cores have threads for."""
        if self.jobs is not None:
            return max(1, min(self.jobs, max(1, trainings)))
        if device != "cpu":
            if device == "cuda":
                import torch

                slots = (len(self.gpus) or torch.cuda.device_count()) * self.slots_per_gpu
                return max(1, min(slots, trainings))
            return max(1, min(self.slots_per_gpu, trainings))
        return max(1, min(self.cores // (self.threads or 1), trainings))

    def resolved_threads(self, jobs: int) -> int:
        """Threads a training: as asked, else the cores shared out over the slots."""
        return self.threads or max(1, self.cores // jobs)


def residence() -> str:
    """Whether inputs are copied to the device whole, from ``LIPBENCH_RESIDENT``.

    ``auto`` streams from disk what would fill too much of the memory; results are the same.
    """
    wanted = os.environ.get("LIPBENCH_RESIDENT", "auto")
    if wanted not in RESIDENCE:
        raise BenchError(f"unknown LIPBENCH_RESIDENT {wanted!r}{nearest(wanted, RESIDENCE)}")
    return wanted


def graphs() -> str:
    """Whether networks on CUDA are replayed from captured graphs, from ``LIPBENCH_GRAPHS``.

    The results are the same; what is captured holds its activations for as long as its network.
    ``never`` unless asked for, until ``tests/gpu`` has passed with it.
    """
    wanted = os.environ.get("LIPBENCH_GRAPHS", "never")
    if wanted not in GRAPHS:
        raise BenchError(f"unknown LIPBENCH_GRAPHS {wanted!r}{nearest(wanted, GRAPHS)}")
    return wanted
