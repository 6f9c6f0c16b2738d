"""Neighbour votes, propagation, and the two linear learners, by hand and against SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, nnls

Fitted = Callable[..., Any]
Small = tuple[np.ndarray, np.ndarray, np.ndarray]


def test_votes_are_weighted_by_closeness(fitted: Fitted) -> None:
    x = np.array([[0.0], [1.0], [4.0]])
    sets = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1]], dtype=bool)
    method = fitted("pl-knn", x, sets, k=2)
    votes = method.machine(torch.tensor([[0.25]])).numpy()[0]
    # Distances 0.25 and 0.75: weights 0.75 and 0.25.
    assert votes == pytest.approx([0.75, 0.25, 0.25])
    equal = fitted("pl-knn", x, sets, k=2, votes="equal")
    assert equal.machine(torch.tensor([[0.25]])).numpy()[0] == pytest.approx([1, 1, 1])


def test_a_sample_on_top_of_all_its_neighbours_still_gets_votes(fitted: Fitted) -> None:
    sets = np.array([[1, 0], [1, 0], [0, 1]], dtype=bool)
    method = fitted("pl-knn", np.zeros((3, 2)), sets, k=3)
    assert method.machine(torch.zeros(1, 2)).numpy()[0] == pytest.approx([2, 1])


def test_propagation_keeps_to_the_candidates_and_finds_true_labels(
    fitted: Fitted, small: Small
) -> None:
    x, sets, true = small
    belief = fitted("ipal", x, sets).label_belief().numpy()
    assert belief.sum(axis=1) == pytest.approx(np.ones(len(x)), abs=1e-5)
    assert (belief[~sets] == 0).all()
    # Without propagation a guess among the candidates is right less often.
    guess = (1 / sets.sum(axis=1)).mean()
    assert (belief.argmax(axis=1) == true).mean() > guess + 0.1


def test_a_class_votes_by_how_well_it_rebuilds_a_sample(fitted: Fitted, small: Small) -> None:
    x, sets, _ = small
    method = fitted("ipal", x, sets, k=5)
    labels = method.machine.labels.numpy()
    sample = np.array([0.3, 1.1, -0.2, 0.5, 0.9])
    near = np.argsort(((x - sample) ** 2).sum(axis=1))[:5]
    weights, _ = nnls(x[near].T, sample)
    expected = [
        -((sample - (weights * (labels[near] == c)) @ x[near]) ** 2).sum() / (sample**2).sum()
        for c in range(3)
    ]
    found = method.machine(torch.from_numpy(sample[None]).float()).numpy()[0]
    assert found == pytest.approx(expected, abs=1e-4)


def clpl_objective(flat: np.ndarray, x: np.ndarray, sets: np.ndarray) -> float:
    """One sample at a time, from the paper's sum of squared hinges."""
    d, c = x.shape[1], sets.shape[1]
    weight, bias = flat[: d * c].reshape(d, c), flat[d * c :]
    total = (weight**2).sum() / 2
    for row, inside in zip(x, sets, strict=True):
        scores = row @ weight + bias
        total += max(0.0, 1 - scores[inside].mean()) ** 2
        total += sum(max(0.0, 1 + score) ** 2 for score in scores[~inside])
    return float(total)


def test_clpl_ends_at_the_minimum_of_its_convex_objective(fitted: Fitted, small: Small) -> None:
    x, sets, _ = small
    head = fitted("clpl", x, sets).machine.head
    found = np.concatenate([head.weight.numpy().T.ravel(), head.bias.numpy()]).astype(float)
    least = minimize(clpl_objective, np.zeros(18), args=(x, sets), method="L-BFGS-B")
    assert clpl_objective(found, x, sets) == pytest.approx(least.fun, rel=1e-4)


def test_the_margin_learner_lowers_its_hinge_and_stays_in_its_ball(
    fitted: Fitted, small: Small
) -> None:
    x, sets, true = small
    method = fitted("pl-svm", x, sets, lam=0.1)
    assert method.train_epoch(1) < 1  # the hinge of a learner that knows nothing is 1
    weight = method.machine.head.weight.numpy()
    assert np.linalg.norm(weight) <= 1 / np.sqrt(0.1) + 1e-5
    scores = method.machine(torch.from_numpy(x).float()).detach().numpy()
    assert (scores.argmax(axis=1) == true).mean() > 0.6  # a guess is right in a third


def test_a_sample_that_may_be_anything_pushes_no_margin(fitted: Fitted, small: Small) -> None:
    x, sets, _ = small
    method = fitted("pl-svm", x, np.ones_like(sets))
    assert method.machine.head.weight.numpy() == pytest.approx(np.zeros((3, 5)))
