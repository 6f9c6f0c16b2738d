"""Weights learned from a clean subset: L2RW and Meta-Weight-Net."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn

from bench.api import Batch
from bench.training.session import Session
from methods.l2rw import L2RW
from methods.meta_weight_net import MetaWeightNet

Planted = Callable[..., Session]
Array = np.ndarray[Any, Any]
CPU = torch.device("cpu")
CLASSES, SIZE = 3, 4


def problem(seed: int = 0) -> tuple[Array, Array, Array, Array, Array]:
    """Theta of soft-max regression, a training batch, and a clean one; float64."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(CLASSES, SIZE))
    x, clean_x = rng.normal(size=(8, SIZE)), rng.normal(size=(6, SIZE))
    return theta, x, rng.integers(0, CLASSES, 8), clean_x, rng.integers(0, CLASSES, 6)


def softmax(theta: Array, x: Array) -> Array:
    z = np.exp(x @ theta.T)
    return np.asarray(z / z.sum(1, keepdims=True))


def losses_of(theta: Array, x: Array, y: Array) -> Array:
    return np.asarray(-np.log(softmax(theta, x)[np.arange(len(y)), y]))


def gradients_of(theta: Array, x: Array, y: Array) -> Array:
    """``∇CE_i`` for every sample, ``(n, C, d)``."""
    error = softmax(theta, x) - np.eye(CLASSES)[y]
    return np.asarray(error[:, :, None] * x[:, None, :])


def on_linear(method: Any, theta: Array) -> Any:
    """A method that trains soft-max regression with these parameters."""
    linear = nn.Linear(SIZE, CLASSES, bias=False).double()
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(theta))
    method.networks = (linear,)
    method.run = SimpleNamespace(
        device=CPU, generator=lambda *parts: torch.Generator().manual_seed(0)
    )
    return method


def tensors(*arrays: Array) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]


def batch_of(x: Array, y: Array) -> Batch:
    return Batch(*tensors(x, y), torch.arange(len(y)))


# -------------------------------------------------------------------------------------- L2RW


@pytest.mark.parametrize("rate", [1e-3, 0.7])
def test_l2rw_weights_are_the_finite_differences_of_algorithm_1(rate: float) -> None:
    theta, x, y, clean_x, clean_y = problem()
    gradients = gradients_of(theta, x, y)

    def clean_loss(epsilon: Array) -> float:
        moved = theta - rate * np.tensordot(epsilon, gradients, axes=1)
        return float(losses_of(moved, clean_x, clean_y).mean())

    slopes = [(clean_loss(e) - clean_loss(-e)) / 2e-5 for e in 1e-5 * np.eye(8)]
    expected = np.maximum(0, -np.array(slopes))
    assert 0 < (expected > 0).sum() < 8
    expected /= expected.sum()
    found = on_linear(L2RW(), theta).weights(batch_of(x, y), *tensors(clean_x, clean_y))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_l2rw_weighs_nothing_where_nothing_helps() -> None:
    x = np.ones((5, SIZE))
    method = on_linear(L2RW(), np.zeros((CLASSES, SIZE)))
    found = method.weights(batch_of(x, np.zeros(5, int)), *tensors(x, np.ones(5, int)))
    assert found.tolist() == [0.0] * 5


def test_l2rw_weighs_clean_labels_above_wrong_ones(planted: Planted) -> None:
    session = planted("l2rw", epochs=12, wrong=0.25)
    method = session.method
    assert isinstance(method, L2RW)
    weights, wrong = [], []
    original = method.weights

    def watched(batch: Batch, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        found = original(batch, x, y)
        weights.append(found)
        wrong.append(batch.y != session._train_true[batch.index])
        return found

    method.weights = watched  # type: ignore[method-assign]
    list(session.epochs())
    for found in weights:
        assert float(found.sum()) == pytest.approx(1, abs=1e-4) or float(found.sum()) == 0
    late = len(weights) // 2
    w, clean = torch.cat(weights[late:]).numpy(), ~torch.cat(wrong[late:]).numpy()
    assert roc_auc_score(clean, w) > 0.75
    assert w[clean].mean() > 1.5 * w[~clean].mean()


# --------------------------------------------------------------------------- Meta-Weight-Net


def test_meta_weight_net_learns_by_the_gradient_through_the_virtual_step() -> None:
    theta, x, y, clean_x, clean_y = problem(1)
    method = on_linear(MetaWeightNet(hidden=3, virtual_lr=0.4, weight_lr=1e-12), theta)
    method.setup()
    method.v.double()
    start = [p.detach().numpy().copy() for p in method.v.parameters()]
    losses, gradients = losses_of(theta, x, y), gradients_of(theta, x, y)

    def clean_loss(parts: list[Array]) -> float:
        inner, inner_bias, outer, outer_bias = parts
        hidden = np.maximum(0, losses[:, None] @ inner.T + inner_bias)
        weights = 1 / (1 + np.exp(-(hidden @ outer.T + outer_bias)))[:, 0]
        moved = theta - 0.4 * (weights[:, None, None] * gradients).mean(0)
        return float(losses_of(moved, clean_x, clean_y).mean())

    method.learn_weights(batch_of(x, y), *tensors(clean_x, clean_y))
    for position, parameter in enumerate(method.v.parameters()):
        for entry in np.ndindex(*start[position].shape):
            ends = []
            for sign in (1, -1):
                parts = [part.copy() for part in start]
                parts[position][entry] += sign * 1e-6
                ends.append(clean_loss(parts))
            slope = (ends[0] - ends[1]) / 2e-6
            assert float(parameter.grad[entry]) == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_meta_weight_net_trains_on_the_mean_of_weight_times_loss(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = planted("meta-weight-net")
    method, run = session.method, session.run
    assert isinstance(method, MetaWeightNet)
    session.networks[0].eval()  # no dropout, so that a loss can be computed twice
    expected: list[float] = []
    found: list[float] = []
    learn = method.learn_weights

    def watched(batch: Batch, x: torch.Tensor, y: torch.Tensor) -> None:
        learn(batch, x, y)
        with torch.no_grad():
            losses = F.cross_entropy(session.networks[0](batch.x), batch.y, reduction="none")
            weights = method.v(losses[:, None])[:, 0]
        assert 0 < float(weights.min()) <= float(weights.max()) < 1
        expected.append(float((weights * losses).sum() / len(losses)))

    monkeypatch.setattr(method, "learn_weights", watched)
    monkeypatch.setattr(run, "step", lambda loss: found.append(float(loss.detach())))
    method.train_epoch(0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_meta_weight_net_weighs_clean_labels_above_wrong_ones(planted: Planted) -> None:
    session = planted("meta-weight-net", epochs=12, wrong=0.25)
    method = session.method
    assert isinstance(method, MetaWeightNet)
    list(session.epochs())
    logits = session.run.predict(session.networks[0])
    losses = F.cross_entropy(logits, session.run.labels, reduction="none")
    weights = method.weights(losses).detach().numpy()
    clean = (session.run.labels == session._train_true).numpy()
    assert roc_auc_score(clean, weights) > 0.95


# -------------------------------------------------------------------------------------- both


@pytest.mark.parametrize("name", ["l2rw", "meta-weight-net"])
def test_the_virtual_step_leaves_the_network_as_it_is(name: str, planted: Planted) -> None:
    session = planted(name)
    method, network = session.method, session.networks[0]
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    batch = next(iter(session.run.batches(0)))
    clean = session.run.known.clean_subset
    if isinstance(method, L2RW):
        method.weights(batch, *clean)
    else:
        assert isinstance(method, MetaWeightNet)
        method.learn_weights(batch, *clean)
    assert any("running_mean" in key for key in before)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("name", ["l2rw", "meta-weight-net"])
def test_the_clean_subset_is_all_that_is_told(name: str, planted: Planted) -> None:
    session = planted(name)
    assert session.method.told() == ["clean_subset"]
    x, y = session.run.known.clean_subset
    assert len(x) == len(y) < 0.05 * session.run.n
