"""A board of made-up figures: four methods, eight noises, two seeds.

The figures are synthetic: ELR and GCE are level, co-teaching loses to both everywhere and CE to
all; LIP gains in every cell, psp gains and harms in turn.
"""

from __future__ import annotations

import made_up_runs
from made_up_runs import evaluated

from bench.records import CurvePoint, Environment, Evaluation, Outcome
from bench.training_spec import RefinerSpec, TrainingSpec

COMPUTER = Environment("a" * 40, True, "3.11.7", "Linux", "A CPU", 2, "", {"torch": "2"})

NOISES = [
    ("clean", None),
    *(("symmetric", rate) for rate in (0.1, 0.2, 0.3, 0.4, 0.5)),
    *(("pairflip", rate) for rate in (0.2, 0.4)),
]

SUITE = """
suite: tiny
title: A tiny suite
datasets: [digits]
noises:
  - clean
  - symmetric: {rate: 0.1}
  - symmetric: {rate: 0.2}
  - symmetric: {rate: 0.3}
  - symmetric: {rate: 0.4}
  - symmetric: {rate: 0.5}
  - pairflip: {rate: 0.2}
  - pairflip: {rate: 0.4}
methods: [ce, gce, elr, co-teaching]
refiners: [off, lip, psp]
seeds: 2
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 12, batch_size: 256}
"""

BEHIND = {"elr": 0.0, "gce": 0.0, "co-teaching": 0.05, "ce": 0.1}


def accuracy(spec: TrainingSpec, refiner: str = "off") -> float:
    """By method, noise and refiner; seeds differ a little."""
    kinds = [(name, rate) for name, rate in NOISES]
    place = kinds.index((spec.noise.name, spec.noise.params.get("rate")))
    level = 0.9 - 0.05 * place - BEHIND[spec.method] - 0.001 * spec.seed
    if spec.method == "gce":
        level += (0.01 + 0.001 * place) * (1 if place % 2 else -1)
    turn = -1 if place % 2 else 1
    moved = {"off": 0.0, "lip": 0.002 + 0.0001 * place, "psp": 0.01 * turn}
    return round(level + moved[refiner], 6)


def ended(spec: TrainingSpec, status: str) -> Outcome:
    """An attempt that ended some other way than well."""
    return made_up_runs.ended(spec, status, environment=COMPUTER)


def done(spec: TrainingSpec) -> Outcome:
    """An attempt that went well."""
    return made_up_runs.ended(
        spec,
        "done",
        error="",
        environment=COMPUTER,
        train_s=1.2,
        evaluations=tuple(evaluation(spec, refiner) for refiner in spec.refiners),
    )


def evaluation(spec: TrainingSpec, refiner: RefinerSpec) -> Evaluation:
    """A refiner's result, with the one point of its curve that it chose."""
    found = accuracy(spec, refiner.name)
    curve = () if refiner.name == "off" else (CurvePoint(4, 0.5, found),)
    return evaluated(refiner, found, noisy_val_accuracy=0.5, curve=curve)


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "a & b_{c} $d$ \\e%",
    "|x|",
)
"""Names that are code to a careless page or paper."""
