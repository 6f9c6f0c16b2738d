"""Every method trains on a GPU, in float32 and in bfloat16, and twice the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from bench.conformance import fixture
from bench.records import EpochRecord, Evaluation
from bench.refine.evaluate import evaluate_refiners
from bench.registry import Registry, discover
from bench.training.session import Session
from bench.training_spec import RefinerSpec

CUDA = torch.device("cuda")
METHODS = [info.name for info in discover().all("method")]
REFINERS = ("off", "lip", "lip-calibrated")


def session(registry: Registry, method: str, device: torch.device = CUDA, **said: Any) -> Session:
    return fixture.session(registry.create("method", method, {}), device=device, **said)


def trained(found: Session, registry: Registry) -> tuple[list[EpochRecord], list[Evaluation]]:
    """Epochs and evaluations, without their times."""
    epochs = [replace(record, wall_s=0.0) for record in found.epochs()]
    refiners = [
        (RefinerSpec(name, name, name, {}, ""), registry.create("refiner", name, {}))
        for name in REFINERS
    ]
    evaluations, _ = evaluate_refiners(found, refiners)
    return epochs, [replace(evaluation, wall_s=0.0) for evaluation in evaluations]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains_on_the_gpu_twice_the_same(registry: Registry, method: str) -> None:
    first = trained(session(registry, method), registry)
    assert all(evaluation.error == "" for evaluation in first[1])
    assert trained(session(registry, method), registry) == first


@pytest.mark.parametrize("method", METHODS)
def test_a_method_learns_as_well_on_the_gpu_as_on_the_processor(
    registry: Registry, method: str
) -> None:
    # Draws differ between devices, so that only the level is compared; chance is 0.25.
    epochs = 6
    here = trained(session(registry, method, epochs=epochs), registry)[1][0].test_accuracy
    cpu = trained(session(registry, method, fixture.CPU, epochs=epochs), registry)[1][0]
    assert here is not None
    assert cpu.test_accuracy is not None
    assert here > cpu.test_accuracy - 0.35


@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains_in_bfloat16(registry: Registry, method: str) -> None:
    found = session(registry, method, precision="bf16")
    assert found.precision == "bf16"
    assert all(evaluation.error == "" for evaluation in trained(found, registry)[1])
