"""CRDPLL: the two terms, the geometric mean of views, and the ramp."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from partial_trace import Array, Trace, array, restricted, softmax
from scipy.special import rel_entr

from bench.training.session import Session
from methods.partial.crdpll import Crdpll

Planted = Callable[..., Session]


def equation(views: list[Array], sets: Array, w: Array, weight: float) -> Array:
    away = -(np.log(1 - softmax(views[0])) * (1 - sets)).sum(1)
    return away + weight * sum(rel_entr(w, softmax(z)).sum(1) for z in views)


def test_the_objective_is_the_papers_equation() -> None:
    rng = np.random.default_rng(0)
    views = [rng.normal(0, 2, (6, 5)) for _ in range(3)]
    sets = (rng.random((6, 5)) < 0.5).astype(float)
    sets[:, 1] = 1
    w = restricted(rng.random((6, 5)), sets)
    tensors = [torch.tensor(z) for z in views]
    found = Crdpll.objective(tensors, torch.tensor(sets), torch.tensor(w), 0.7)
    np.testing.assert_allclose(found.numpy(), equation(views, sets, w, 0.7), rtol=1e-10)


def test_the_objective_has_the_gradient_of_finite_differences() -> None:
    rng = np.random.default_rng(1)
    sets = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.float64)
    w = torch.tensor(restricted(rng.random((3, 4)), sets.numpy()))
    views = tuple(torch.tensor(rng.normal(0, 2, (3, 4)), requires_grad=True) for _ in range(3))
    assert torch.autograd.gradcheck(lambda *z: Crdpll.objective(list(z), sets, w, 0.5), views)


def test_a_network_that_is_sure_of_a_wrong_label_is_pushed_away_from_it() -> None:
    z = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    sets = torch.tensor([[0.0, 1.0, 1.0]])
    Crdpll.objective([z], sets, sets / 2, 0.0).sum().backward()
    assert z.grad is not None
    np.testing.assert_allclose(z.grad.numpy(), [[1, -0.5, -0.5]], atol=1e-6)


@pytest.mark.parametrize("lam", [1.0, 3.0])
def test_a_training_follows_the_equations_batch_by_batch(lam: float, planted: Planted) -> None:
    """Of 8 epochs the ramp takes 4: weights 0, λ/4, λ/2, ... and λ from epoch 4 on."""
    epochs = 6
    session = planted("crdpll", epochs=8, wrong=0.5, lam=lam)
    trace = Trace(session)
    sets = array(session.run.candidates)
    w = sets / sets.sum(1)[:, None]
    running = session.epochs()
    for epoch in range(epochs):
        start = len(trace.rows)
        next(running)
        weight = lam * min(epoch / 4, 1)
        for i in range(start, len(trace.rows)):
            rows, views = trace.rows[i], trace.logits[0][3 * i : 3 * i + 3]
            expected = equation(views, sets[rows], w[rows], weight).mean()
            assert trace.losses[i] == pytest.approx(expected, rel=1e-4)
            product = np.prod([softmax(z) ** (1 / 3) for z in views], axis=0)
            w[rows] = restricted(product, sets[rows])
    np.testing.assert_allclose(array(session.method.label_belief()), w, atol=1e-6)
    assert len(trace.logits[0]) == 3 * len(trace.rows)
