"""Transition matrices: how they are estimated, and losses that correct with them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize

from bench.api import Batch
from bench.errors import KnowledgeError
from bench.training.recipes.transition import (
    LEAST_EPOCHS,
    anchors,
    counted,
    estimator,
    forward_loss,
    posterior,
    truth,
)
from bench.training.session import Session
from methods.backward import Backward
from methods.dual_t import DualT
from methods.forward import Forward
from methods.t_revision import TRevision
from methods.volminnet import VolMinNet

Planted = Callable[..., Session]
CPU = torch.device("cpu")


def matrix(classes: int = 4, seed: int = 0) -> torch.Tensor:
    """A transition matrix with unequal rows, float64."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(0.6 * np.eye(classes) + 0.4 * rng.dirichlet(np.ones(classes), classes))


def batch(n: int = 30, classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, Batch]:
    """Logits float64, and a batch with labels for them."""
    draws = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, classes, generator=draws, dtype=torch.float64)
    labels = torch.randint(0, classes, (n,), generator=draws)
    return logits, Batch(logits, labels, torch.arange(n))


def on_logits(method: Any, classes: int = 4) -> Any:
    """A method whose network gives back its input."""
    method.run = SimpleNamespace(n_classes=classes, n_epochs=4, device=CPU)
    method.networks = (lambda x: x,)
    return method


# -------------------------------------------------------------------------------- estimation


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


# ------------------------------------------------------------------------- forward, backward


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


# ------------------------------------------------------------------------------------- dual T


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


# -------------------------------------------------------------------------------- T-Revision


def revision(slack: torch.Tensor) -> TRevision:
    method = on_logits(TRevision())
    method.setup()
    method.transition = matrix()
    method.slack = slack.requires_grad_()
    return method


def test_the_slack_gets_the_gradient_of_the_reweighted_loss() -> None:
    # Pitfall: a weight wrapped as a new leaf leaves the slack without a gradient.
    start = torch.from_numpy(np.random.default_rng(5).uniform(0, 0.02, (4, 4)))
    logits, made = batch()
    method = revision(start.clone())
    method.loss(made).mean().backward()
    assert method.slack.grad is not None
    p, y, rows = logits.softmax(1).numpy(), made.y.numpy(), np.arange(30)

    def value(slack: np.ndarray[Any, Any]) -> float:
        t = matrix().numpy() + slack
        t /= t.sum(1, keepdims=True)
        weight = p[rows, y] / (p @ t)[rows, y]
        return float((weight * -np.log(p[rows, y])).mean())

    for i, j in np.ndindex(4, 4):
        shift = np.zeros((4, 4))
        shift[i, j] = 1e-6
        slope = (value(start.numpy() + shift) - value(start.numpy() - shift)) / 2e-6
        assert float(method.slack.grad[i, j]) == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_the_weight_is_a_constant_for_the_network() -> None:
    logits, made = batch()
    z = logits.clone().requires_grad_()
    method = revision(torch.zeros(4, 4, dtype=torch.float64))
    method.loss(Batch(z, made.y, made.index)).sum().backward()
    p, t = logits.softmax(1), matrix()
    rows = torch.arange(30)
    weight = p[rows, made.y] / (p @ t)[rows, made.y]
    torch.testing.assert_close(z.grad, weight[:, None] * (p - F.one_hot(made.y, 4)))


def test_revised_rows_sum_to_one_for_any_slack() -> None:
    # Pitfall: dividing by row sums along the wrong axis.
    method = revision(torch.from_numpy(np.random.default_rng(6).normal(0, 1, (4, 4))))
    revised = method.revised().detach()
    torch.testing.assert_close(revised.sum(1), torch.ones(4, dtype=torch.float64))
    assert float(revised.min()) >= 0


def test_the_slack_is_learned_in_the_last_stage_only(planted: Planted) -> None:
    session = planted("t-revision", epochs=4)
    method = session.method
    assert isinstance(method, TRevision)
    moved = [bool(method.slack.detach().abs().max() > 0) for _ in session.epochs()]
    assert moved == [False, False, True, True]


# --------------------------------------------------------------------------------- VolMinNet


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
