"""What ELR+ claims."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from planted_labels import trained

from bench.training.session import Session

Planted = Callable[..., Session]


def test_elr_plus_targets_average_the_other_networks_average(planted: Planted) -> None:
    session = planted("elr-plus", beta=0.6)
    method = session.method
    index, x = torch.arange(5), session.run.view(torch.arange(5), "plain")
    with torch.no_grad():
        p = method.second_average(x).softmax(1).double().numpy().clip(1e-4, 1 - 1e-4)
    p /= p.sum(1, keepdims=True)
    expected = np.zeros_like(p)
    for _ in range(3):
        method.updated(0, method.second_average, x, index)
        expected = 0.6 * expected + 0.4 * p
    np.testing.assert_allclose(method.targets[0, :5].numpy(), expected, atol=1e-6)
    assert (method.targets[1] == 0).all()


def test_elr_plus_objective_by_hand(planted: Planted) -> None:
    method = planted("elr-plus", lam=2.0).method
    z = np.array([[1.0, 0.0, -1.0, 0.5]])
    y, t = np.array([[0.75, 0.25, 0, 0]]), np.array([[0.2, 0.3, 0.1, 0.1]])
    p = np.exp(z) / np.exp(z).sum()
    expected = -(y * np.log(p)).sum() + 2 * 0.5 * np.log(1 - (p * t).sum())
    found = method.objective(*(torch.tensor(v, dtype=torch.float32) for v in (z, y, t)), 0.5)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_elr_plus_averages_trail_their_networks(planted: Planted) -> None:
    session = trained(planted("elr-plus", epochs=2))
    for average, network in zip(
        (session.method.first_average, session.method.second_average), session.networks, strict=True
    ):
        assert not torch.equal(average.head.weight, network.head.weight)
        assert not any(p.requires_grad for p in average.parameters())


def test_elr_plus_rise_ends_at_one(planted: Planted) -> None:
    method = planted("elr-plus", epochs=100).method
    assert method.rise(0) == pytest.approx(math.exp(-5))
    assert method.rise(57) == method.rise(99) == 1


def test_both_networks_see_the_same_wrong_labels(planted: Planted) -> None:
    # The authors' code draws the noise once a loader, so that two networks can vote on the truth.
    run = planted("elr-plus").run
    given = []
    for which in (0, 1):
        labels = torch.zeros(run.n, dtype=torch.int64)
        for batch in run.batches(0, repeat=which):
            labels[batch.index] = batch.y
        given.append(labels)
    assert torch.equal(*given)
