"""The fake device refuses what a GPU refuses, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.conformance.fake_cuda import CPU, CUDA, DeviceMismatch, fake_cuda

Given = SimpleNamespace


def given() -> Given:
    """Tensors on both devices and a network on the fake one; call it under ``fake_cuda``."""
    draws = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    net.append(nn.Linear(144, 4))
    return Given(
        net=net.to("cuda", memory_format=torch.channels_last),
        x=torch.randn(5, 1, 8, 8, generator=draws).cuda(),
        y=torch.tensor([0, 1, 2, 3, 0], device="cuda"),
        d=torch.randn(5, 4, generator=draws).to(torch.device("cuda")),
        store=torch.zeros(9, 4, device="cuda"),
        cpu=torch.zeros(5, 4),
        draws=draws,
    )


def trained(g: Given) -> torch.Tensor:
    """Two steps of every optimiser and a clipped gradient."""
    for family in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        optimiser = family(g.net.parameters(), lr=0.01, fused=True)
        for _ in range(2):
            optimiser.zero_grad()
            F.cross_entropy(g.net(g.x), g.y).backward()
            nn.utils.clip_grad_norm_(g.net.parameters(), 1.0)
            optimiser.step()
    gradient: torch.Tensor = g.net[0].weight.grad
    return gradient


ON_CUDA: dict[str, Callable[[Given], torch.Tensor]] = {
    "training": trained,
    "deep copy": lambda g: copy.deepcopy(g.net)(g.x),
    "mask": lambda g: g.d[g.d > 0],
    "mask from the CPU": lambda g: g.store[torch.ones(9).bool()],
    "index from the CPU": lambda g: g.store[torch.arange(3)],
    "scalar from the CPU": lambda g: g.d * torch.tensor(2.0),
    "like": lambda g: torch.zeros_like(g.d) + g.d.new_zeros(4) + g.d.new_tensor([1.0] * 4),
    "copy_": lambda g: g.store[:5].copy_(g.cpu),
    "moved": lambda g: g.d + g.cpu.to(g.d),
    "moved from NumPy": lambda g: g.d + torch.as_tensor(np.ones((5, 4), "f4"), device="cuda"),
    "drawn and moved": lambda g: torch.rand(5, 4, generator=g.draws).to(g.d.device) + g.d,
    "one-hot": lambda g: F.one_hot(g.y, 4) + g.d,
    "gradient": lambda g: torch.autograd.grad(g.net(g.x).sum(), g.net[0].weight)[0].sum() + g.d,
    "per-sample gradient": lambda g: torch.vmap(torch.func.grad(lambda row: (row**2).sum()))(g.d),
    "beta": lambda g: torch.distributions.Beta(g.d.exp(), g.d.exp()).sample(),
    "decomposition": lambda g: torch.linalg.svd(g.d)[0],
    "buffer of a module": lambda g: g.net[1].running_mean,
}

ON_CPU: dict[str, Callable[[Given], torch.Tensor]] = {
    "fresh": lambda g: torch.zeros(3),
    "like, elsewhere": lambda g: g.cpu + torch.ones_like(g.d, device="cpu"),
    "moved": lambda g: g.d.cpu() + g.cpu,
    "from NumPy": lambda g: torch.from_numpy(g.d.cpu().numpy()) + g.cpu,
}

REFUSED: dict[str, Callable[[Given], object]] = {
    "sum": lambda g: g.d + g.cpu,
    "product with a device scalar": lambda g: g.cpu * g.d.sum(),
    "look-up": lambda g: g.cpu[g.y],
    "targets": lambda g: F.cross_entropy(g.d, g.y.cpu()),
    "gather": lambda g: g.d.gather(1, g.y.cpu()[:, None]),
    "values": lambda g: g.store.index_put_((g.y,), g.cpu),
    "store on the CPU": lambda g: g.cpu.index_put_((g.y,), g.d),
    "cat": lambda g: torch.cat([g.d, g.cpu]),
    "where": lambda g: torch.where(g.cpu > 0, g.d, g.d),
    "layer": lambda g: nn.Linear(4, 4)(g.d),
    "average": lambda g: nn.Parameter(torch.zeros(5, 4)).data.mul_(0.9).add_(g.d),
    "draw": lambda g: torch.rand(3, device="cuda", generator=g.draws),
    "permutation": lambda g: torch.randperm(3, device="cuda", generator=g.draws),
    "sampling": lambda g: torch.multinomial(g.d.softmax(1), 1, generator=g.draws),
}


@pytest.mark.parametrize("case", ON_CUDA)
def test_result_is_on_the_device(case: str) -> None:
    with fake_cuda():
        result = ON_CUDA[case](given())
        assert result.device == CUDA
        assert result.is_cuda


@pytest.mark.parametrize("case", ON_CPU)
def test_result_is_on_the_cpu(case: str) -> None:
    with fake_cuda():
        assert ON_CPU[case](given()).device == CPU


@pytest.mark.parametrize("case", REFUSED)
def test_operation_over_two_devices_is_refused(case: str) -> None:
    with fake_cuda(), pytest.raises(DeviceMismatch):
        REFUSED[case](given())


@pytest.mark.parametrize("hand_over", [lambda d: d.numpy(), np.asarray])
def test_device_tensor_is_not_handed_to_numpy(hand_over: Callable[[torch.Tensor], object]) -> None:
    with fake_cuda(), pytest.raises(TypeError, match="can't convert cuda:0"):
        hand_over(given().d)


def test_numbers_are_those_of_the_cpu() -> None:
    weight = torch.linspace(-1, 1, 20).reshape(5, 4)
    expected = weight.softmax(1).square().sum()
    with fake_cuda():
        found = float(weight.to("cuda").softmax(1).square().sum())
    assert found == float(expected)
    assert weight.device == CPU
