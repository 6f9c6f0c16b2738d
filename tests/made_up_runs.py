"""Made-up outcomes of trainings, and databases of them that the real writer wrote.

The figures are synthetic: made of the names of a training so that each is different, and plausible
enough to look at. Databases exist only below pytest's temporary folder.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.plan import Plan, make_plan
from bench.records import CurvePoint, EpochRecord, Evaluation, Outcome
from bench.registry import Registry
from bench.spec import load_suite
from bench.store.database import open_writer
from bench.store.plans import record_plan
from bench.store.writer import commit
from bench.training_spec import RefinerSpec, TrainingSpec

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

Fate = Callable[[TrainingSpec], Outcome | Sequence[Outcome] | None]
"""What became of a training: one attempt, several in turn, or none."""

MakeDatabase = Callable[..., Path]


def ended(
    spec: TrainingSpec, status: str, error: str = "the loss is not finite", **fields: Any
) -> Outcome:
    """An attempt that ended with this status; ``fields`` are those of an outcome."""
    outcome = Outcome(
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
    return replace(outcome, **fields)


def evaluated(refiner: RefinerSpec, test_accuracy: float | None, **fields: Any) -> Evaluation:
    """A refiner's result, refused where there is no accuracy; ``fields`` are an evaluation's."""
    chose = refiner.name != "off" and test_accuracy is not None
    found = Evaluation(
        key=refiner.evaluation_key,
        refiner=refiner.name,
        label=refiner.label,
        params=refiner.params,
        source_sha=refiner.source_sha,
        test_accuracy=test_accuracy,
        noisy_val_accuracy=None,
        k=4 if chose else None,
        rank=RANK,
        wall_s=0.1,
    )
    return replace(found, **fields)


def epoch(number: int, test_accuracy: float, **fields: Any) -> EpochRecord:
    """A record of one epoch, from 1; ``fields`` are those of a record."""
    found = EpochRecord(
        epoch=number,
        train_loss=2.3 / number,
        fit_given=0.5 + 0.03 * number,
        fit_true=0.6 + 0.02 * number,
        noisy_val_accuracy=0.5,
        test_accuracy=test_accuracy,
        lr=0.05,
        wall_s=0.1 * number,
    )
    return replace(found, **fields)


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
    return evaluated(
        refiner,
        None if error else curve[3].test_accuracy if has_k else off,
        noisy_val_accuracy=None if error else 0.9 * off,
        curve=curve,
        error=error,
    )


def done(spec: TrainingSpec) -> Outcome:
    """An attempt that went well."""
    final = accuracy(spec)
    return ended(
        spec,
        "done",
        error="",
        train_s=1.2,
        epochs=tuple(
            epoch(
                e,
                min(1.0, final + 0.002 * (12 - e)),
                noisy_val_accuracy=0.8 * final - 0.002 * abs(e - 8),
            )
            for e in range(1, 13)
        ),
        evaluations=tuple(evaluation(spec, refiner) for refiner in spec.refiners),
    )


def planned(suite: str, folder: Path, registry: Registry, data_dir: Path) -> Plan:
    """The plan of a suite given as a string, which is written into ``folder``."""
    file = folder / "tiny.yaml"
    file.write_text(suite, encoding="utf-8")
    return make_plan(load_suite(str(file), None, registry), registry, data_dir)


def write_database(path: Path, plan: Plan, registry: Registry, fate: Fate = done) -> Path:
    """Record a plan and what became of each training; gives ``path``."""
    with open_writer(path) as db:
        record_plan(db, plan, registry)
        for training in plan.trainings:
            outcomes = fate(training) or ()
            for outcome in [outcomes] if isinstance(outcomes, Outcome) else outcomes:
                commit(db, training, outcome)
    return path
