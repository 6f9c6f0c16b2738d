"""How long a plan will take: from past trainings where there are any, else from a short probe."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.environment import environment
from bench.store.reader import past_seconds
from bench.training_spec import TrainingSpec

if TYPE_CHECKING:
    from bench.plan import Plan
    from bench.registry import Registry
    from bench.settings import Settings

EVALUATION_SHARE = 1 / 3
"""A forward pass beside a forward and backward pass."""

FIXED_S = 1.0
"""Seconds a training spends outside its epochs."""


@dataclass(frozen=True)
class Estimate:
    """Seconds a plan will take, and what that is known from.

    Attributes:
        wall_s: of all trainings together.
        basis: past trainings, or a probe of the network.
        jobs: trainings at a time.
    """

    wall_s: float
    basis: str
    jobs: int


def work(training: TrainingSpec, n_train: int, n_test: int) -> float:
    """Forward-and-backward passes of one training, evaluation included."""
    share = training.protocol["noisy_validation"]
    per_epoch = n_train * (1 - share) * training.cost
    evaluated = (n_test + n_train * share + min(2000, n_train)) * EVALUATION_SHARE
    return float((per_epoch + evaluated) * training.protocol["epochs"])


def estimate(
    connection: sqlite3.Connection,
    trainings: Sequence[TrainingSpec],
    plan: Plan,
    registry: Registry,
    settings: Settings,
) -> Estimate:
    """Wall seconds of the trainings on this machine.

    Where the past says nothing of a training, a few batches of its network are timed (this imports
    torch).

    Args:
        connection: past trainings, of this suite or others.
        trainings: what is to run.
        plan: for the sizes of the data sets.
        registry: where the network comes from.
        settings: slots and device.
    """
    if not trainings:
        return Estimate(0.0, "past trainings", 1)
    device = settings.resolved_device()
    jobs = settings.resolved_jobs(device, len(trainings))
    threads = settings.resolved_threads(jobs)
    sizes = {info.fingerprint: (info.n_train, info.n_test) for info in plan.data}
    past = {
        (row["method"], row["protocol_sha"], row["fingerprint"]): float(row["wall_s"])
        for row in past_seconds(connection, device, environment().cpu, threads).to_dict("records")
    }
    known, unknown = 0.0, list[TrainingSpec]()
    for training in trainings:
        seconds = past.get((training.method, training.protocol_sha, training.fingerprint))
        if seconds is None:
            unknown.append(training)
        else:
            known += seconds
    basis = "past trainings"
    if unknown:
        one_of_each = {training.fingerprint: training for training in unknown}
        rates = {
            fingerprint: probe_rate(training, plan, registry, device, threads)
            for fingerprint, training in one_of_each.items()
        }
        for training in unknown:
            passes = work(training, *sizes[training.fingerprint])
            known += passes / rates[training.fingerprint] + FIXED_S
        basis = "a probe of the network"
    return Estimate(known / jobs, basis, jobs)


def probe_rate(
    training: TrainingSpec, plan: Plan, registry: Registry, device_name: str, threads: int
) -> float:
    """Samples a second of forward and backward passes of one slot, from a few timed batches."""
    import torch

    from bench.training.network import build_network
    from bench.training.precision import resolve

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        device = torch.device(device_name)
        info = next(i for i in plan.data if i.fingerprint == training.fingerprint)
        settings_of = training.protocol["backbone"]
        network = build_network(
            registry.create("backbone", settings_of["name"], settings_of["params"]),
            info.shape,
            info.n_classes,
            seed=0,
            device=device,
            precision=resolve(training.protocol["precision"], device),
        )
        size = min(32, training.protocol["batch_size"])
        x = torch.randn(size, *info.shape, device=device)
        seconds = []
        for _ in range(2):
            clock = time.perf_counter()
            network(x).logsumexp(1).mean().backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - clock)
    finally:
        torch.set_num_threads(before)
    return float(size / min(seconds))


def describe_estimate(estimate: Estimate) -> str:
    """One sentence."""
    if estimate.wall_s == 0:
        return "Nothing to run."
    at_a_time = f"{estimate.jobs} at a time" if estimate.jobs > 1 else "one at a time"
    return f"About {duration(estimate.wall_s)}, {at_a_time} (from {estimate.basis})."


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``5.5 h`` or ``9 days``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} days"
