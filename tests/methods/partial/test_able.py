"""ABLE: the ambiguity-induced contrast against a loop, and confidences of the pass before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from partial_trace import Array, Trace, array, restricted, softmax

from bench.training.session import Session
from methods.partial.able import Able

Planted = Callable[..., Session]


def unit(rng: np.random.Generator, n: int, d: int) -> Array:
    vectors = rng.normal(size=(n, d))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def looped(q: Array, weights: Array, label: Array, temperature: float) -> float:
    """Anchor after anchor, candidate after candidate, positive after positive."""
    views, b = len(q), len(label)
    total = 0.0
    for i in range(views):
        others = [a for a in range(views) if a != i]
        scale = sum(np.exp(q[i] @ q[a] / temperature) for a in others)
        for c in np.flatnonzero(weights[i % b]):
            positives = [a for a in others if label[a % b] == c]
            shares = [np.log(np.exp(q[i] @ q[a] / temperature) / scale) for a in positives]
            if shares:
                total -= weights[i % b, c] * np.mean(shares)
    return total / views * temperature / 0.07


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_contrast_is_that_of_a_loop_over_candidates(temperature: float) -> None:
    rng = np.random.default_rng(0)
    b, c = 7, 4
    sets = (rng.random((b, c)) < 0.6).astype(float)
    sets[np.arange(b), rng.integers(0, c, b)] = 1
    weights = restricted(rng.random((b, c)), sets)
    label = restricted(rng.random((b, c)), sets).argmax(1)
    q = unit(rng, 2 * b, 6)
    found = Able(temperature=temperature).contrast(
        torch.tensor(q), torch.tensor(weights), torch.tensor(label)
    )
    assert float(found) == pytest.approx(looped(q, weights, label, temperature), rel=1e-6)


def test_a_candidate_that_no_sample_is_predicted_as_adds_nothing() -> None:
    q = torch.tensor(unit(np.random.default_rng(1), 4, 3))
    label = torch.tensor([0, 0])
    half = Able().contrast(q, torch.tensor([[0.5, 0.5, 0]] * 2), label)
    whole = Able().contrast(q, torch.tensor([[1.0, 0, 0]] * 2), label)
    assert float(half) == pytest.approx(float(whole) / 2)


def test_views_of_one_class_that_lie_together_are_better_than_apart() -> None:
    label, weights = torch.tensor([0, 1]), torch.eye(2)
    together = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    apart = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert Able().contrast(together, weights, label) < Able().contrast(apart, weights, label)


def test_a_training_learns_from_the_confidences_of_the_pass_before(planted: Planted) -> None:
    session = planted("able", epochs=3, wrong=0.5, weight=0)
    trace = Trace(session)
    sets = array(session.run.candidates)
    w = sets / sets.sum(1)[:, None]
    list(session.epochs())
    for rows, z, loss in zip(trace.rows, trace.logits[0], trace.losses, strict=True):
        expected = -(w[rows] * np.log(softmax(z))).sum(1).mean()
        assert loss == pytest.approx(expected, abs=1e-5)
        w[rows] = restricted(softmax(z), sets[rows])
    np.testing.assert_allclose(array(session.method.label_belief()), w, atol=1e-6)


def test_the_contrast_gets_each_samples_own_confidences_and_likeliest_candidate(
    planted: Planted,
) -> None:
    """The authors' code takes the rows of the batch's positions instead."""
    session = planted("able", epochs=2, wrong=0.5)
    trace = Trace(session)
    method: Any = session.method
    seen: list[tuple[Array, Array, float]] = []
    original = method.contrast

    def watched(projected: torch.Tensor, weights: torch.Tensor, label: torch.Tensor) -> Any:
        result = original(projected, weights, label)
        seen.append((array(weights), label.numpy().copy(), float(result)))
        return result

    method.contrast = watched
    sets = array(session.run.candidates)
    w = sets / sets.sum(1)[:, None]
    list(session.epochs())
    for i, (weights, label, contrast) in enumerate(seen):
        rows, z = trace.rows[i], trace.logits[0][i]
        p = restricted(softmax(z), sets[rows])
        np.testing.assert_allclose(weights, w[rows], atol=1e-6)
        np.testing.assert_array_equal(label, p.argmax(1))
        plain = -(w[rows] * np.log(softmax(z))).sum(1).mean()
        assert trace.losses[i] == pytest.approx(plain + contrast, rel=1e-5)
        w[rows] = p
