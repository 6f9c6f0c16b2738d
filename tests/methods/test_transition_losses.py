"""Losses that correct with a transition matrix: forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from transitions import batch, matrix, on_logits

from bench.api import Batch
from bench.errors import KnowledgeError
from bench.training.recipes.transition import forward_loss
from bench.training.session import Session
from methods.backward import Backward
from methods.forward import Forward

Planted = Callable[..., Session]


def test_corrections_by_the_identity_are_cross_entropy() -> None:
    logits, made = batch()
    expected = F.cross_entropy(logits, made.y, reduction="none")
    forward, backward = on_logits(Forward()), on_logits(Backward())
    forward.transition = torch.eye(4, dtype=torch.float64)
    backward.use(torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(forward.loss(made), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(backward.loss(made), expected, rtol=1e-6, atol=1e-6)


def test_forward_is_the_likelihood_of_the_given_label() -> None:
    logits, made = batch()
    t = matrix()
    p = logits.softmax(1).numpy()
    expected = [
        -np.log(sum(p[n, i] * float(t[i, y]) for i in range(4)))
        for n, y in enumerate(made.y.tolist())
    ]
    np.testing.assert_allclose(forward_loss(logits, made.y, t), expected, rtol=1e-9)


def test_forward_is_least_at_the_true_posterior() -> None:
    # Theorem 2: the minimiser under wrong labels is the minimiser under true ones.
    true, t = np.array([0.5, 0.3, 0.15, 0.05]), matrix()
    given = torch.from_numpy(true) @ t

    def expected_loss(z: np.ndarray[Any, Any]) -> float:
        losses = forward_loss(torch.from_numpy(z).expand(4, 4), torch.arange(4), t)
        return float(given @ losses)

    found = minimize(expected_loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(np.exp(found) / np.exp(found).sum(), true, atol=1e-4)


def test_backward_is_unbiased() -> None:
    # Theorem 1: Σ_given T[true, given] ℓ(given) = CE(true).
    logits, _ = batch()
    t = matrix()
    method = on_logits(Backward())
    method.use(t)
    every = [
        method.loss(Batch(logits, torch.full((30,), y), torch.arange(30))).double()
        for y in range(4)
    ]
    found = t @ torch.stack(every)
    expected = -logits.log_softmax(1).T
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_backward_is_bounded_below_and_has_an_answer_for_a_singular_matrix() -> None:
    method = on_logits(Backward(), classes=2)
    method.use(torch.tensor([[0.7, 0.3], [0.3, 0.7]]))
    extreme = Batch(torch.tensor([[1e4, 0.0]]), torch.tensor([0]), torch.tensor([0]))
    assert float(method.loss(extreme)) == pytest.approx(0.3 / 0.4 * np.log(1e-7))
    singular = torch.full((3, 3), 1 / 3)
    method.use(singular)
    assert torch.isfinite(method.inverse).all()
    torch.testing.assert_close(singular @ method.inverse @ singular, singular)


@pytest.mark.parametrize("name", ["forward", "backward"])
def test_who_estimates_the_matrix_is_not_told_it(name: str, planted: Planted) -> None:
    told = planted(name)
    assert told.method.told() == ["transition_matrix"]
    torch.testing.assert_close(told.method.transition, told.run.known.transition_matrix)
    untold = planted(name, matrix="estimated")
    assert untold.method.told() == []
    with pytest.raises(KnowledgeError, match="asked for transition_matrix"):
        _ = untold.run.known.transition_matrix


@pytest.mark.parametrize("name", ["forward", "backward"])
def test_an_estimated_matrix_survives_a_stop(name: str, planted: Planted) -> None:
    whole, half = planted(name, matrix="estimated"), planted(name, matrix="estimated")
    list(whole.epochs())
    next(half.epochs())
    resumed = planted(name, matrix="estimated")
    resumed.load_state_dict(half.state_dict())
    assert not torch.equal(resumed.method.transition, torch.eye(4))
    list(resumed.epochs())
    for a, b in zip(whole.networks[0].parameters(), resumed.networks[0].parameters(), strict=True):
        assert torch.equal(a, b)
