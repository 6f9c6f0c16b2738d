"""Arithmetic: what a protocol's words mean on a machine, and what stays in full precision."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import nn

from bench.execute import build_session
from bench.plan import make_plan
from bench.protocol import Optimiser, Protocol, Schedule
from bench.refine.evaluate import collect
from bench.registry import Registry
from bench.spec import load_suite
from bench.training.compiled import WANTED
from bench.training.optimise import OPTIMISERS, SCHEDULES
from bench.training.precision import RESOLVED, resolve, settle
from bench.training.session import Session
from bench.training_spec import TrainingSpec

CPU, CUDA = torch.device("cpu"), torch.device("cuda")

BAND = 0.02
"""Test accuracy that bfloat16 may cost or gain on digits, in the mean over three seeds.

Of single seeds the difference has a standard deviation of 0.008."""

SUITE = """
suite: arithmetic
datasets: [digits]
noises: [{symmetric: {rate: 0.2}}]
methods: [ce]
seeds: 3
protocol:
  backbone: {small-cnn: {width: 4}}
  epochs: 6
  batch_size: 64
  optimiser: {lr: 0.1}
"""


@pytest.fixture(scope="module")
def specs(
    tmp_path_factory: pytest.TempPathFactory, registry: Registry, data_dir: Path
) -> tuple[TrainingSpec, ...]:
    path = tmp_path_factory.mktemp("arithmetic") / "suite.yaml"
    path.write_text(SUITE)
    return make_plan(load_suite(str(path), None, registry), registry, data_dir).trainings


@pytest.fixture
def session(
    specs: tuple[TrainingSpec, ...], registry: Registry, data_dir: Path
) -> Callable[..., Session]:
    def build(seed: int, **protocol: Any) -> Session:
        spec = replace(specs[seed], protocol={**specs[seed].protocol, **protocol})
        return build_session(spec, registry, data_dir, CPU)

    return build


def test_bfloat16_learns_digits_as_well_as_float32(session: Callable[..., Session]) -> None:
    def accuracy(seed: int, precision: str) -> float:
        made = session(seed, precision=precision)
        assert made.precision == precision
        return list(made.epochs())[-1].test_accuracy

    single, half = ([accuracy(s, p) for s in range(3)] for p in ("fp32", "bf16"))
    assert min(single) > 0.9
    assert single != half
    assert statistics.mean(half) == pytest.approx(statistics.mean(single), abs=BAND)


def test_under_bfloat16_only_the_inside_of_the_body_is_reduced(
    session: Callable[..., Session],
) -> None:
    made = session(0, precision="bf16", epochs=1)
    inside: dict[str, set[torch.dtype]] = {"convolution": set(), "softmax": set()}

    def seen(kind: str) -> Callable[..., None]:
        return lambda module, args, result: inside[kind].add(result.dtype)

    network = made.networks[0]
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(seen("convolution"))
    network.register_forward_hook(seen("softmax"))
    list(made.epochs())
    assert inside == {"convolution": {torch.bfloat16}, "softmax": {torch.float32}}
    kept = [*network.state_dict().values(), *(p.grad for p in network.parameters())]
    momentum = made.trainer.state_dict()["optimiser"]["state"][0]["momentum_buffer"]
    floating = [tensor for tensor in (*kept, momentum) if tensor.is_floating_point()]
    assert {tensor.dtype for tensor in floating} == {torch.float32}
    (head,) = collect(made, wants_belief=False)
    sums = head.problem_given
    assert {t.dtype for t in (sums.gram, sums.cross, sums.feature_sum, sums.weight)} == {
        torch.float64
    }
    assert head.test.dtype == torch.float32


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, int], None]]:
    """``gpu(8, 0)``: the compute capability that torch reports."""
    before = torch.backends.cudnn.allow_tf32

    def report(*capability: int) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    yield report
    torch.backends.cudnn.allow_tf32 = before


def test_tensor_float_32_is_float32_where_there_is_none(gpu: Callable[[int, int], None]) -> None:
    assert resolve("tf32", CPU) == "fp32"
    gpu(7, 5)
    assert resolve("tf32", CUDA) == "fp32"
    gpu(8, 0)
    assert resolve("tf32", CUDA) == "tf32"


def test_float32_convolutions_use_tensor_float_32_only_where_declared(
    gpu: Callable[[int, int], None],
) -> None:
    for precision, expected in (("fp32", False), ("tf32", True), ("bf16", False)):
        settle(precision, CUDA)
        assert torch.backends.cudnn.allow_tf32 == expected
        assert not torch.backends.cuda.matmul.allow_tf32
    settle("tf32", CPU)
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("model", "field", "table"),
    [
        (Protocol, "precision", RESOLVED),
        (Protocol, "compile", WANTED),
        (Optimiser, "name", OPTIMISERS),
        (Schedule, "name", SCHEDULES),
    ],
)
def test_every_word_that_a_protocol_may_say_means_something(
    model: Any, field: str, table: dict[str, Any]
) -> None:
    assert set(get_args(model.model_fields[field].annotation)) == set(table)


def test_an_unknown_word_is_an_error_that_lists_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="'auto', 'fp32', 'tf32' or 'bf16'"):
        Protocol(precision="fp16")  # type: ignore[arg-type]
