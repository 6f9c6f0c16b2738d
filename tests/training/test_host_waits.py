"""How often a training waits for its device: once after the batches, once after the evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bench.conformance import fixture
from bench.conformance.fake_cuda import CUDA, fake_cuda
from bench.registry import Registry

READS = {
    getattr(Tensor, name)
    for name in ("item", "tolist", "nonzero", "__float__", "__int__", "__bool__", "__index__")
} | {torch.nonzero, torch.masked_select, Tensor.masked_select}
"""Whose answer is on the device, or decides how large the next tensor is."""
COPIES = {Tensor.to, Tensor.cpu, Tensor.cuda}
MADE = {torch.tensor, torch.as_tensor, torch.asarray}
INDEXED = {Tensor.__getitem__, Tensor.__setitem__}


class Waits(TorchFunctionMode):
    """Counts, by name, the calls after which a GPU would have been waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self._waits(func, args, kwargs, result):
            self.found[func.__name__] += 1
        return result

    def _waits(self, func: Any, args: tuple[Any, ...], kwargs: Any, result: Any) -> bool:
        if func in READS:
            return args[0].device == CUDA
        if func in COPIES:
            crosses = args[0].device != result.device
            return crosses and not (result.device == CUDA and kwargs.get("non_blocking"))
        if func in MADE:
            return result.device == CUDA and not isinstance(args[0], Tensor)
        if func in INDEXED:
            indices = args[1] if isinstance(args[1], tuple) else (args[1],)
            masks = [i for i in indices if isinstance(i, Tensor) and i.dtype == torch.bool]
            return any(mask.device == CUDA for mask in masks)
        return False


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with fixture.undisturbed():
        yield


def waits_of_an_epoch(registry: Registry, method: str, n: int) -> Counter[str]:
    """Of the second epoch, evaluation included, over ``n`` samples in batches of 32."""
    with fake_cuda():
        session = fixture.session(
            registry.create("method", method, {}),
            train=fixture.images(n, seed=0),
            device=torch.device("cuda"),
        )
        epochs = session.epochs()
        next(epochs)
        with Waits() as waits:
            next(epochs)
    return waits.found


@pytest.mark.parametrize("method", ["ce", "elr", "co-teaching"])
@pytest.mark.parametrize("n", [96, 288])
def test_no_step_waits_for_the_device(registry: Registry, method: str, n: int) -> None:
    assert waits_of_an_epoch(registry, method, n) == {"__float__": 1, "tolist": 1}


def test_a_wait_would_be_seen() -> None:
    with fake_cuda(), Waits() as waits:
        x = torch.arange(4).to("cuda", non_blocking=True)
        assert not waits.found
        x.to("cpu"), x.cpu(), torch.arange(2).to("cuda"), x[x > 1], int(x[0]), x.nonzero()
        torch.tensor([1], device="cuda")
    assert waits.found == {
        **{"to": 2, "cpu": 1, "__getitem__": 1, "__int__": 1, "nonzero": 1, "tensor": 1}
    }
