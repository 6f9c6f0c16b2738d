"""What VolMinNet claims: a matrix of small volume that is learned with the network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from transitions import batch, on_logits

from bench.api import Batch
from bench.training.session import Session
from methods.volminnet import VolMinNet

Planted = Callable[..., Session]


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_volminnets_matrix_is_stochastic_with_the_largest_entry_on_the_diagonal(
    optimiser: str, draws: torch.Generator
) -> None:
    method = on_logits(VolMinNet(optimiser=optimiser), classes=10)
    method.setup()
    start = method.transition().detach()
    outside = 1 / (1 + np.exp(2))
    np.testing.assert_allclose(start.diagonal(), 1 / (1 + 9 * outside), rtol=1e-5)
    with torch.no_grad():
        method.w.copy_(5 * torch.randn(10, 10, generator=draws))
    t = method.transition().detach()
    torch.testing.assert_close(t.sum(1), torch.ones(10))
    assert (t.argmax(1) == torch.arange(10)).all()


def test_volminnet_adds_the_log_of_the_volume_and_makes_it_small() -> None:
    logits, made = batch()
    with_volume, without = (on_logits(VolMinNet(lam=lam)) for lam in (0.5, 0.0))
    for method in (with_volume, without):
        method.setup()
    made = Batch(logits.float(), made.y, made.index)
    t = with_volume.transition().detach().double().numpy()
    difference = (with_volume.loss(made) - without.loss(made)).detach()
    np.testing.assert_allclose(difference, 0.5 * np.log(abs(np.linalg.det(t))), rtol=1e-4)
    only_volume = with_volume.loss(made).mean() - without.loss(made).mean()
    only_volume.backward()
    with torch.no_grad():
        with_volume.w -= 0.1 * with_volume.w.grad
    after = with_volume.transition().detach().double().numpy()
    assert abs(np.linalg.det(after)) < abs(np.linalg.det(t))


def test_volminnet_learns_its_matrix_at_rates_that_fall(planted: Planted) -> None:
    session = planted("volminnet", epochs=8)
    method = session.method
    assert isinstance(method, VolMinNet)
    rates = [method.rate(epoch) for epoch in range(8)]
    np.testing.assert_allclose(rates, [1e-2] * 3 + [1e-3] * 3 + [1e-4] * 2)
    next(session.epochs())
    assert float((method.w.detach() + 2).abs().max()) > 0
