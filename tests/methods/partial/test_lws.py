"""LWS: weights of both sides, from the last pass of each sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from partial_trace import Array, Trace, array, batch_of, on_table, restricted, softmax

from bench.training.session import Session

Planted = Callable[..., Session]


def both_sides(p: Array, sets: Array) -> Array:
    """Each side's probabilities, summing to 1; nothing where a side is empty."""
    weights = restricted(p, sets)
    for i in np.flatnonzero(sets.sum(1) < sets.shape[1]):
        weights[i] += restricted(p[i : i + 1], 1 - sets[i : i + 1])[0]
    return weights


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
def test_the_loss_of_a_training_follows_the_equation_with_the_last_weights(
    beta: float, planted: Planted
) -> None:
    session = planted("lws", epochs=3, wrong=0.6, beta=beta)
    trace = Trace(session)
    sets = array(session.run.candidates)
    assert (sets.sum(1) == 4).any()
    weights = both_sides(np.ones_like(sets), sets)
    np.testing.assert_allclose(array(session.method.weights), weights, atol=1e-6)  # type: ignore[attr-defined]
    list(session.epochs())
    for rows, z, loss in zip(trace.rows, trace.logits[0], trace.losses, strict=True):
        inside = (weights[rows] * sets[rows] / (1 + np.exp(z))).sum(1)
        outside = (weights[rows] * (1 - sets[rows]) / (1 + np.exp(-z))).sum(1)
        assert loss == pytest.approx((inside + beta * outside).mean(), abs=1e-5)
        weights[rows] = both_sides(softmax(z), sets[rows])
    np.testing.assert_allclose(array(session.method.weights), weights, atol=1e-6)  # type: ignore[attr-defined]
    belief = array(session.method.label_belief())
    np.testing.assert_allclose(belief, restricted(weights, sets), atol=1e-6)


def test_each_side_sums_to_one_however_sure_the_network_is(planted: Planted) -> None:
    sets = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1.0]])
    session = on_table(planted("lws"), sets)
    session.method.loss(batch_of(np.array([[900.0, 0, 0, 0]] * 3)))
    weights = array(session.method.weights)  # type: ignore[attr-defined]
    np.testing.assert_allclose((weights * sets).sum(1), [1, 1, 1], atol=1e-6)
    np.testing.assert_allclose((weights * (1 - sets)).sum(1), [1, 1, 0], atol=1e-6)
