"""Compiled networks: when they are compiled, and that nothing else changes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import Backbone, Batch, Method
from bench.conformance import fixture
from bench.protocol import Named, Protocol
from bench.records import EpochRecord
from bench.registry import Registry
from bench.training.compiled import AUTO_STEPS, SETTLED, SIZES, CompiledBody, pays
from bench.training.network import ClassifierNetwork
from bench.training.recipes.lookahead import virtual
from bench.training.session import Session

CPU = torch.device("cpu")


class Plain(Method):
    """Cross entropy."""

    name = "plain"

    def loss(self, batch: Batch) -> Tensor:
        """Of every sample."""
        return F.cross_entropy(self.logits(batch.x), batch.y, reduction="none")


class Small(Backbone):
    """A perceptron with batch norm, which is compiled quickly."""

    name = "small"

    def build(self, shape: tuple[int, ...]) -> tuple[nn.Module, int]:
        """8 features."""
        layers = (nn.Flatten(), nn.Linear(fixture.SIDE**2, 8), nn.BatchNorm1d(8), nn.ReLU())
        return nn.Sequential(*layers, nn.Dropout(0.1)), 8


def session(compile_: str, method: Method | None = None, **protocol: Any) -> Session:
    """144 training samples."""
    train = fixture.images(fixture.N_TRAIN, seed=0)
    return Session(
        method=method or Plain(),
        backbone=Small(),
        protocol=Protocol(
            backbone=Named(name=Small.name),
            compile=compile_,
            **{"epochs": 2, "batch_size": 16, "precision": "fp32", **protocol},
        ),
        info=fixture.data_info(),
        train=train,
        test=fixture.images(fixture.N_TEST, seed=1),
        artefact=fixture.artefact(train.labels),
        seed=0,
        device=CPU,
    )


def records(found: Session) -> list[EpochRecord]:
    with fixture.undisturbed():
        return [replace(record, wall_s=0) for record in found.epochs()]


def compiler_is_missing() -> str:
    """Why nothing can be compiled here; empty where it can."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, RuntimeError) as error:
        return str(error).splitlines()[0] or "no C++ compiler"
    return ""


def test_a_compiled_training_equals_the_plain_one_to_rounding() -> None:
    if reason := compiler_is_missing():
        pytest.skip(reason)
    compiled, plain = session("on"), session("off")
    found, expected = records(compiled), records(plain)
    assert compiled.networks[0]._compiled.sizes == {(16, True, True)}  # type: ignore[union-attr]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)
        assert mine.test_accuracy == pytest.approx(theirs.test_accuracy, abs=0.02)
    a, b = compiled.networks[0].state_dict(), plain.networks[0].state_dict()
    assert a.keys() == b.keys()
    for key, value in a.items():
        torch.testing.assert_close(value, b[key], rtol=1e-3, atol=1e-4)


@pytest.fixture
def compiled_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batch sizes that would have been run compiled; they run as they are."""
    calls: list[int] = []

    def compile_(body: nn.Module, **_: Any) -> Callable[[Tensor], Tensor]:
        def run(x: Tensor) -> Tensor:
            calls.append(len(x))
            found: Tensor = body(x)
            return found

        return run

    monkeypatch.setattr(torch, "compile", compile_)
    return calls


def test_the_last_smaller_batch_of_an_epoch_is_not_compiled(compiled_calls: list[int]) -> None:
    # 144 = 11 * 13 + 1: the last sample joins the batch before it.
    records(session("on", batch_size=13, epochs=SETTLED))
    assert compiled_calls.count(13) == 10 * SETTLED - (SETTLED - 1)
    assert 14 not in compiled_calls


def test_ever_other_batch_sizes_are_compiled_a_few_times_only(compiled_calls: list[int]) -> None:
    body = CompiledBody(nn.Linear(2, 2))
    for n in [*range(1, 40), *(n for n in range(1, 40) for _ in range(100))]:
        body(torch.ones(n, 2))
    assert len(set(compiled_calls)) == SIZES


def test_without_compilation_it_goes_on_as_it_is_and_says_why_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def compile_(body: nn.Module, **_: Any) -> Callable[[Tensor], Tensor]:
        def run(x: Tensor) -> Tensor:
            raise RuntimeError("No working C++ compiler found\nand more")

        return run

    monkeypatch.setattr(torch, "compile", compile_)
    with caplog.at_level(logging.WARNING):
        found = records(session("on"))
    assert found == records(session("off"))
    assert [record.getMessage() for record in caplog.records] == [
        "the network runs as it is, for it could not be compiled: No working C++ compiler found"
    ]


def network(*layers: nn.Module) -> ClassifierNetwork:
    made = ClassifierNetwork(nn.Sequential(*layers), 3, 2, "fp32")
    made.compile_body()
    return made


@pytest.mark.parametrize("layers", [(nn.Linear(2, 3), nn.BatchNorm1d(3)), (nn.Linear(2, 3),)])
def test_a_pass_with_other_parameters_is_never_compiled(
    layers: tuple[nn.Module, ...], compiled_calls: list[int]
) -> None:
    made, x = network(*layers), torch.randn(4, 2)
    own = dict(made.named_parameters())
    for _ in range(SETTLED):
        made(x)
    before = len(compiled_calls)
    virtual(made, own, x)
    virtual(made, {name: 2 * value for name, value in own.items()}, x)
    assert len(compiled_calls) == before > 0
    made(x)
    assert len(compiled_calls) == before + 1


def test_meta_learning_trains_with_compiled_networks(
    registry: Registry, compiled_calls: list[int]
) -> None:
    def trained(compile_: str) -> list[EpochRecord]:
        return records(session(compile_, registry.create("method", "l2rw", {})))

    assert trained("on") == trained("off")
    assert compiled_calls


def test_a_copy_of_a_network_is_a_network_of_its_own(compiled_calls: list[int]) -> None:
    made = network(nn.Linear(2, 3))
    copied = copy.deepcopy(made)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    x = torch.randn(4, 2)
    for _ in range(SETTLED):
        with torch.no_grad():
            assert float(made(x).abs().sum()) == 0 < float(copied(x).abs().sum())
    assert len(compiled_calls) == 2
    assert copied.state_dict().keys() == {
        "body.0.weight",
        "body.0.bias",
        "head.weight",
        "head.bias",
    }


def test_compiling_is_done_where_asked_for_or_where_it_is_expected_to_pay() -> None:
    cuda = torch.device("cuda")
    assert not pays("off", cuda, 10**9)
    assert pays("on", CPU, 1)
    assert not pays("auto", CPU, 10**9)
    assert pays("auto", cuda, AUTO_STEPS)
    assert not pays("auto", cuda, AUTO_STEPS - 1)
