"""Captured graphs: which calls are replayed, and that nobody's activations are overwritten.

A capture is played here by the body itself; ``tests/gpu`` has the real ones.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import Parameter

from bench.training import graphed
from bench.training.graphed import SETTLED, GraphedBody, leaves_of


class Played:
    """Writes every result to where its last one lay, as a captured graph does."""

    def __init__(self, body: nn.Module, parameters: Sequence[Parameter], x: Tensor) -> None:
        self._body, self._leaves = body, leaves_of(body, parameters)
        self._x = x.detach().clone()
        with torch.no_grad():
            self._features = body(x).clone()
        self._gradients = [torch.zeros_like(p) for p in parameters]
        self.replays = 0

    def forward(self, x: Tensor) -> Tensor:
        """Features of a batch."""
        self.replays += 1
        self._x.copy_(x)
        with torch.no_grad():
            self._features.copy_(self._body(self._x))
        return self._features

    def backward(self, gradient: Tensor) -> list[Tensor]:
        """Of the latest batch."""
        with torch.enable_grad():
            features = functional_call(self._body, self._leaves, (self._x,))
            found = torch.autograd.grad(features, list(self._leaves.values()), gradient)
        for place, value in zip(self._gradients, found, strict=True):
            place.copy_(value)
        return self._gradients


def body() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def batch(seed: int, n: int = 5) -> Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def plain() -> nn.Module:
    return body()


@pytest.fixture
def settled(plain: nn.Module) -> GraphedBody:
    """A body that has been captured for batches of five."""
    found = GraphedBody(plain, Played)
    for _ in range(SETTLED + 1):
        found(batch(0))
    assert found.captures == 1
    return found


def gradients(of: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in of.parameters() if p.grad is not None]


def test_features_and_gradients_are_those_of_the_body(
    settled: GraphedBody, plain: nn.Module
) -> None:
    twin = copy.deepcopy(plain)
    for x in (batch(1), batch(2)):
        plain.zero_grad()
        twin.zero_grad()
        ours, theirs = settled(x), twin(x)
        assert torch.equal(ours, theirs)
        ours.square().sum().backward()
        theirs.square().sum().backward()
        assert all(map(torch.equal, gradients(plain), gradients(twin)))


def test_a_kind_of_batch_is_captured_once_it_has_come_often(plain: nn.Module) -> None:
    found = GraphedBody(plain, Played)
    for _ in range(SETTLED):
        found(batch(0))
    assert found.captures == 0
    found(batch(0, n=2))
    assert found.captures == 0
    found(batch(0))
    assert found.captures == 1


def test_two_batches_under_way_do_not_overwrite_each_other(
    settled: GraphedBody, plain: nn.Module
) -> None:
    twin = copy.deepcopy(plain)
    first, second = settled(batch(1)), settled(batch(2))
    assert settled.captures == 2
    (first.square().sum() + second.sum()).backward()
    (twin(batch(1)).square().sum() + twin(batch(2)).sum()).backward()
    for one, other in zip(gradients(plain), gradients(twin), strict=True):
        torch.testing.assert_close(one, other)
    del first, second
    settled(batch(3)).sum().backward()
    assert settled.captures == 2


def test_gradients_of_several_steps_add_up(settled: GraphedBody, plain: nn.Module) -> None:
    twin = copy.deepcopy(plain)
    for seed in range(3):
        settled(batch(seed)).square().sum().backward()
        twin(batch(seed)).square().sum().backward()
    assert all(map(torch.equal, gradients(plain), gradients(twin)))


def test_features_that_are_kept_are_not_overwritten(settled: GraphedBody) -> None:
    with torch.no_grad():
        for _ in range(SETTLED + 1):
            kept = settled(batch(1))
        before = kept.clone()
        settled(batch(2))
    assert torch.equal(kept, before)


def test_more_batches_under_way_than_captures_run_as_they_are(
    settled: GraphedBody, plain: nn.Module
) -> None:
    features = [settled(batch(seed)) for seed in range(graphed.CAPTURES + 3)]
    assert settled.captures == graphed.CAPTURES
    for seed, found in enumerate(features):
        assert torch.equal(found, plain(batch(seed)))


def test_borrowed_weights_are_never_replayed(settled: GraphedBody, plain: nn.Module) -> None:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = plain

        def forward(self, x: Tensor) -> Tensor:
            return settled(x)

    doubled = {f"body.{n}": 2 * p.detach() for n, p in plain.named_parameters()}
    twin = copy.deepcopy(plain)
    with torch.no_grad():
        for p in twin.parameters():
            p.mul_(2)
    assert torch.equal(functional_call(Holder(), doubled, (batch(1),)), twin(batch(1)))


@pytest.mark.parametrize("change", ["moved", "frozen"])
def test_a_body_that_changed_its_place_is_captured_anew(
    change: str, settled: GraphedBody, plain: nn.Module
) -> None:
    weight = next(plain.parameters())
    if change == "moved":
        weight.data = weight.data * 3
    else:
        weight.requires_grad_(False)
    twin = copy.deepcopy(plain)
    found = settled(batch(1))
    assert torch.equal(found, twin(batch(1)))
    found.sum().backward()  # type: ignore[no-untyped-call]
    twin(batch(1)).sum().backward()
    assert all(map(torch.equal, gradients(plain), gradients(twin)))


def test_gradients_of_the_input_are_there(settled: GraphedBody) -> None:
    x = batch(1).requires_grad_()
    settled(x).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None


def test_a_body_that_cannot_be_captured_runs_as_it_is_and_says_so_once(
    plain: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(body: nn.Module, parameters: Sequence[Parameter], x: Tensor) -> Played:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    found = GraphedBody(plain, refuse)
    with caplog.at_level(logging.WARNING):
        for _ in range(SETTLED + 3):
            assert torch.equal(found(batch(0)), plain(batch(0)))
    assert [record.message for record in caplog.records] == [
        "the network runs without captured graphs: operation not permitted when stream is capturing"
    ]


def test_a_copy_of_a_network_is_captured_by_itself(settled: GraphedBody, plain: nn.Module) -> None:
    other = copy.deepcopy(settled)
    assert other.captures == 0
    assert torch.equal(other(batch(1)), plain(batch(1)))


def test_an_optimiser_step_is_seen_by_a_capture(settled: GraphedBody, plain: nn.Module) -> None:
    optimiser = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    twin = copy.deepcopy(plain)
    other = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    for seed in range(4):
        for network, of, step in ((settled, plain, optimiser), (twin, twin, other)):
            of.zero_grad()
            network(batch(seed)).square().sum().backward()
            step.step()
    assert all(map(torch.equal, plain.parameters(), twin.parameters()))
