"""A small suite and made-up outcomes of its trainings: synthetic, plausible, all different."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.records import CurvePoint, EpochRecord, Evaluation, Outcome, RefinerSpec, TrainingSpec

SUITE = """
suite: tiny
title: A tiny suite
datasets: [digits]
noises:
  - clean
  - symmetric: {rate: 0.5}
  - pairflip: {rate: 0.45}
methods: [ce, gce, co-teaching]
refiners: [off, lip, psp]
seeds: SEEDS
protocol:
  backbone: {mlp: {width: 16, depth: 1}}
  epochs: 12
  batch_size: 256
"""

RANK = 10

Fate = Callable[[TrainingSpec], Outcome | None]
MakeDatabase = Callable[..., Path]


def spread(*words: object) -> float:
    """A number in 0..1 that looks random and depends on the words alone."""
    return zlib.crc32(repr(words).encode()) / 2**32


def accuracy(spec: TrainingSpec) -> float:
    """Better methods are better, noisier noise is worse, seeds differ a little."""
    worth = {"ce": 0.0, "gce": 0.04, "co-teaching": 0.08}.get(spec.method, 0.0)
    hard = {"clean": 0.02, "symmetric": 0.25, "pairflip": 0.4}.get(spec.noise.name, 0.3)
    # Of names, not of the key: that changes with the code of a method.
    luck = 0.002 * spread(spec.method, spec.noise.name, spec.seed)
    return round(0.97 - hard + worth * hard / 0.4 + luck, 6)


def evaluation(spec: TrainingSpec, refiner: RefinerSpec, error: str = "") -> Evaluation:
    """A refiner's result: ``off`` is the training itself, the others move it either way."""
    off = accuracy(spec)
    moved = 0.04 * (spread(spec.method, spec.noise.name, refiner.name) - 0.5)
    has_k = refiner.name != "off"
    curve = tuple(
        CurvePoint(k, 0.9 * off + moved * math.sin(k / 3), off + moved * math.sin(k / 3))
        for k in range(1, RANK + 1)
        if has_k
    )
    return Evaluation(
        key=refiner.evaluation_key,
        refiner=refiner.name,
        label=refiner.label,
        params=refiner.params,
        source_sha=refiner.source_sha,
        test_accuracy=None if error else curve[3].test_accuracy if has_k else off,
        noisy_val_accuracy=None if error else 0.9 * off,
        k=4 if has_k and not error else None,
        rank=RANK,
        wall_s=0.1,
        curve=curve,
        error=error,
    )


def done(spec: TrainingSpec) -> Outcome:
    """An attempt that went well."""
    final = accuracy(spec)
    epochs = tuple(
        EpochRecord(
            epoch=e,
            train_loss=2.3 / e,
            fit_given=0.5 + 0.03 * e,
            fit_true=0.6 + 0.02 * e,
            noisy_val_accuracy=0.8 * final - 0.002 * abs(e - 8),
            test_accuracy=min(1.0, final + 0.002 * (12 - e)),
            lr=0.05,
            wall_s=0.1 * e,
        )
        for e in range(1, 13)
    )
    return replace(
        ended(spec, "done"),
        error="",
        train_s=1.2,
        epochs=epochs,
        evaluations=tuple(evaluation(spec, refiner) for refiner in spec.refiners),
    )


def ended(spec: TrainingSpec, status: str, error: str = "the loss is not finite") -> Outcome:
    """An attempt that ended some other way."""
    return Outcome(
        key=spec.key,
        status=status,
        started_at="2026-01-02T03:04:05+00:00",
        wall_s=1.5,
        device="cpu",
        precision="fp32",
        threads=1,
        environment=None,
        error=error,
    )
