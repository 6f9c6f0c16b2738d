"""Transition matrices: how they are estimated."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transitions import CPU, batch, matrix

from bench.training.recipes.transition import (
    LEAST_EPOCHS,
    anchors,
    counted,
    estimator,
    posterior,
    truth,
)
from bench.training.session import Session
from methods.dual_t import DualT

Planted = Callable[..., Session]


def test_anchors_give_back_a_planted_matrix_exactly() -> None:
    planted = matrix()
    rng = np.random.default_rng(1)
    clean = np.concatenate([np.eye(4), rng.dirichlet(np.ones(4), 200)])
    p = torch.from_numpy(clean) @ planted
    torch.testing.assert_close(anchors(p, 1.0), planted, rtol=0, atol=1e-12)


def test_anchors_leave_out_the_largest_values_as_numpy_does() -> None:
    p = np.random.default_rng(2).dirichlet(np.ones(5), 333)
    expected = []
    for column in p.T:
        threshold = np.percentile(column, 97, method="higher")
        expected.append(p[np.argmax(np.where(column >= threshold, 0, column))])
    np.testing.assert_allclose(anchors(torch.from_numpy(p), 0.97), expected, rtol=1e-12)


def test_what_one_class_leaves_out_stays_for_the_others() -> None:
    # Pitfall: zeros written for class 0 into a view, which the row of class 1 then reads.
    ordinary, second, both = [0.2, 0.2, 0.6], [0.05, 0.9, 0.05], [0.55, 0.4, 0.05]
    p = torch.tensor([ordinary] * 94 + [second] * 3 + [both] * 3, dtype=torch.float64)
    before = p.clone()
    found = anchors(p, 0.97)
    # ``both`` is an outlier for class 0 and, ``second`` left out, the anchor of class 1.
    np.testing.assert_allclose(found, [ordinary, both, second], rtol=1e-12)
    assert torch.equal(p, before)


def test_a_column_of_equal_values_has_no_outliers() -> None:
    p = torch.full((50, 2), 0.5, dtype=torch.float64)
    torch.testing.assert_close(anchors(p, 0.97), torch.full((2, 2), 0.5, dtype=torch.float64))


def test_a_trained_estimator_recovers_the_planted_noise(planted: Planted) -> None:
    session = planted("forward", epochs=20, wrong=0.25, matrix="estimated")
    next(session.epochs())
    found = session.method.transition.numpy()
    expected = np.full((4, 4), 0.25 / 3) + (0.75 - 0.25 / 3) * np.eye(4)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    assert np.abs(found - expected).mean() < 0.1
    assert (found.argmax(1) == np.arange(4)).all()


@pytest.mark.parametrize(
    ("n_epochs", "share", "expected"), [(2, 0.1, 1), (30, 0.1, 15), (60, 0.1, 20)]
)
def test_an_estimator_is_never_trained_too_briefly(
    n_epochs: int, share: float, expected: int
) -> None:
    asked: list[int] = []
    run = SimpleNamespace(
        n=3,
        n_epochs=n_epochs,
        device=CPU,
        new_network=lambda *parts: None,
        fit=lambda network, rows, epochs: asked.append(epochs),
    )
    estimator(run, share)  # type: ignore[arg-type]
    assert asked == [expected]
    run.n_epochs = 100 * LEAST_EPOCHS
    estimator(run, share)  # type: ignore[arg-type]
    assert asked[1] == round(share * run.n_epochs)


def test_counting_given_labels_by_predicted_class() -> None:
    p = np.random.default_rng(3).dirichlet(np.ones(3), 80)
    p[:, 2] = 0  # never predicted
    labels = np.random.default_rng(4).integers(0, 3, 80)
    found = counted(torch.from_numpy(p), torch.from_numpy(labels)).numpy()
    for a in range(2):
        given = labels[p.argmax(1) == a]
        np.testing.assert_allclose(found[a], np.bincount(given, minlength=3) / len(given))
    np.testing.assert_array_equal(found[2], [0, 0, 1])


def test_the_truth_given_a_label_is_bayes_rule() -> None:
    logits, made = batch()
    t = matrix()
    p = logits.softmax(1).numpy()
    expected = p * t.numpy()[:, made.y.numpy()].T
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(truth(logits, made.y, t), expected, rtol=1e-9)


def test_dual_t_is_the_product_of_its_two_factors(planted: Planted) -> None:
    session = planted("dual-t", epochs=3)
    next(session.epochs())
    method = session.method
    assert isinstance(method, DualT)
    session._seed_globals(1)  # the same estimator once more
    session.run.begin_epoch(0)
    p = posterior(session.run, estimator(session.run, 0.1)).numpy()
    labels = session.run.labels.numpy()
    club, spade = np.empty((4, 4)), np.eye(4)
    for i in range(4):
        threshold = np.percentile(p[:, i], 97, method="higher")
        club[i] = p[np.argmax(np.where(p[:, i] >= threshold, 0, p[:, i]))]
        if (p.argmax(1) == i).any():
            given = labels[p.argmax(1) == i]
            spade[i] = np.bincount(given, minlength=4) / len(given)
    np.testing.assert_allclose(method.transition, club @ spade, rtol=1e-5)
    np.testing.assert_allclose(method.transition.sum(1), 1, rtol=1e-5)
