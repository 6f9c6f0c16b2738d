"""Captured graphs change no bit of any method's training, and are really used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from bench.conformance import fixture
from bench.records import EpochRecord
from bench.registry import Registry, discover
from bench.training.session import Session

CUDA = torch.device("cuda")
METHODS = [info.name for info in discover().all("method")]


def session(registry: Registry, method: str, **said: Any) -> Session:
    plugin = registry.create("method", method, {})
    train = fixture.images(700, seed=0)  # the last batch is a smaller one
    return fixture.session(plugin, device=CUDA, train=train, **said)


def records(found: Session) -> list[EpochRecord]:
    return [replace(record, wall_s=0.0) for record in found.epochs()]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", METHODS)
def test_a_training_with_graphs_equals_one_without(
    method: str, precision: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"precision": precision, "epochs": 3}
    monkeypatch.setenv("LIPBENCH_GRAPHS", "auto")
    graphed = records(session(registry, method, **said))
    monkeypatch.setenv("LIPBENCH_GRAPHS", "never")
    assert graphed == records(session(registry, method, **said))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", ["ce", "elr", "co-teaching", "dividemix"])
def test_the_steps_of_a_training_are_replayed(
    method: str, precision: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIPBENCH_GRAPHS", "auto")
    found = session(registry, method, precision=precision, epochs=3)
    records(found)
    for network in found.networks:
        graphed = network._graphed
        assert graphed is not None
        assert not graphed._failed
        assert graphed.captures > 0


def test_dropout_draws_the_same_from_a_graph(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIPBENCH_GRAPHS", "auto")
    found = session(registry, "ce", epochs=3)
    dropped = [m for m in found.networks[0].modules() if isinstance(m, torch.nn.Dropout)]
    assert dropped
    graphed = records(found)
    monkeypatch.setenv("LIPBENCH_GRAPHS", "never")
    assert graphed == records(session(registry, "ce", epochs=3))
