"""Losses on candidate sets: their papers' equations in float64, their limits, their gradients."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from partial_trace import Array, batch_of, on_table, restricted, softmax

from bench.training.recipes.candidates import log_inside, log_not, softmax_within, uniform, within
from bench.training.session import Session

Planted = Callable[..., Session]

Z = np.array(
    [
        [1.0, -0.5, 2.0, 0.3],
        [-3.0, 4.0, 0.5, 0.0],
        [0.2, 0.1, -0.2, 0.4],
        [6.0, -6.0, 1.0, 2.0],
        [0.7, 1.1, -2.0, 0.6],
    ]
)
SETS = np.array([[1, 0, 1, 0], [1, 0, 1, 1], [0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1.0]])
SINGLE = np.eye(4)[[2, 1, 0, 3, 1]]
LEARN_FROM_PREDICTIONS = ("proden", "rc", "cavl", "pop")


def losses(session: Session, z: Array | torch.Tensor) -> torch.Tensor:
    return session.method.loss(batch_of(z))


def squared_errors(p: Array) -> Array:
    """``||p - e_k||²`` for every k, by subtraction."""
    errors = p[:, None, :] - np.eye(p.shape[1])[None]
    return (errors**2).sum(2)


def equation(name: str, z: Array, sets: Array) -> Array:
    """The first loss, before any confidence has moved, as the paper has it."""
    p, size, c = softmax(z), sets.sum(1), z.shape[1]
    equal = sets / size[:, None]
    if name in LEARN_FROM_PREDICTIONS:
        return -(equal * np.log(p)).sum(1)
    if name == "cc":
        return -np.log((p * sets).sum(1))
    if name == "lws":
        apart = (1 - sets) / np.maximum(c - size, 1)[:, None]
        return (equal / (1 + np.exp(z))).sum(1) + (apart / (1 + np.exp(-z))).sum(1)
    found = np.zeros(len(z))
    for i in np.flatnonzero(size < c):
        if name == "exp":
            found[i] = (c - 1) / (c - size[i]) * np.exp(-(p[i] * sets[i]).sum())
        else:
            each = squared_errors(p)[i]
            inside, outside = each[sets[i] == 1].sum(), each[sets[i] == 0].sum()
            found[i] = inside - (size[i] - 1) / (c - size[i]) * outside
    return found


@pytest.mark.parametrize("name", [*LEARN_FROM_PREDICTIONS, "cc", "lws", "mse", "exp"])
def test_the_first_loss_of_a_sample_is_its_papers_equation(name: str, planted: Planted) -> None:
    session = on_table(planted(name), SETS)
    np.testing.assert_allclose(losses(session, Z).numpy(), equation(name, Z, SETS), rtol=1e-12)


@pytest.mark.parametrize("name", [*LEARN_FROM_PREDICTIONS, "cc"])
def test_with_one_candidate_each_the_loss_stays_cross_entropy(name: str, planted: Planted) -> None:
    session = on_table(planted(name), SINGLE)
    expected = -np.log(softmax(Z)[SINGLE == 1])
    for _ in range(3):
        np.testing.assert_allclose(losses(session, Z).numpy(), expected, rtol=1e-12)


def test_lws_with_one_candidate_and_no_weight_outside_is_its_sigmoid_loss(planted: Planted) -> None:
    session = on_table(planted("lws", beta=0), SINGLE)
    expected = 1 / (1 + np.exp(Z[SINGLE == 1]))
    np.testing.assert_allclose(losses(session, Z).numpy(), expected, rtol=1e-12)


def test_mse_with_one_candidate_is_the_squared_error(planted: Planted) -> None:
    session = on_table(planted("mse"), SINGLE)
    expected = ((softmax(Z) - SINGLE) ** 2).sum(1)
    np.testing.assert_allclose(losses(session, Z).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["cc", "mse", "exp"])
def test_a_set_of_all_labels_teaches_nothing(name: str, planted: Planted) -> None:
    session = on_table(planted(name), np.ones((len(Z), 4)))
    z = torch.tensor(Z, requires_grad=True)
    found = losses(session, z)
    found.sum().backward()
    np.testing.assert_allclose(found.detach().numpy(), 0, atol=1e-12)
    assert z.grad is not None
    np.testing.assert_allclose(z.grad.numpy(), 0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_mse_averaged_over_all_sets_of_a_size_is_the_error_to_the_true_label(
    size: int, planted: Planted
) -> None:
    true, c = 2, 5
    others = [k for k in range(c) if k != true]
    sets = np.zeros((0, c))
    for wrong in combinations(others, size - 1):
        row = np.zeros((1, c))
        row[0, [true, *wrong]] = 1
        sets = np.vstack([sets, row])
    z = np.random.default_rng(0).normal(0, 2, c)
    session = on_table(planted("mse"), sets)
    found = losses(session, np.tile(z, (len(sets), 1))).mean()
    error = ((softmax(z[None])[0] - np.eye(c)[true]) ** 2).sum()
    assert float(found) == pytest.approx(error, rel=1e-12)


@given(z=arrays(np.float64, (5, 4), elements=st.floats(-50, 50)))
def test_exp_lies_between_its_values_for_all_and_no_mass_on_the_candidates(z: Array) -> None:
    from methods.partial.complementary import Exponential

    method: Any = Exponential()
    sets = SETS[:4]
    method.run = type("Table", (), {"candidates": torch.tensor(sets)})
    method.logits = lambda x: x
    scale = 3 / (4 - sets.sum(1))
    found = method.loss(batch_of(z[:4])).numpy()
    assert (found <= scale * (1 + 1e-12)).all()
    assert (found >= scale * np.exp(-1) * (1 - 1e-12)).all()


@pytest.mark.parametrize("name", ["proden", "cc", "lws", "mse", "exp"])
def test_gradients_agree_with_finite_differences(name: str, planted: Planted) -> None:
    session = on_table(planted(name), SETS)

    def fresh(z: torch.Tensor) -> torch.Tensor:
        session.method.setup()
        return losses(session, z)

    assert torch.autograd.gradcheck(fresh, (torch.tensor(Z, requires_grad=True),))


@pytest.mark.parametrize("name", [*LEARN_FROM_PREDICTIONS, "cc", "lws", "mse", "exp"])
def test_extreme_logits_give_finite_losses_and_gradients(name: str, planted: Planted) -> None:
    session = on_table(planted(name), SETS, torch.float32)
    z = torch.tensor(Z * 1e3, dtype=torch.float32, requires_grad=True)
    for _ in range(2):
        found = losses(session, z)
        found.sum().backward()
        assert z.grad is not None
        assert bool(torch.isfinite(found).all())
        assert bool(torch.isfinite(z.grad).all())


def test_the_gradient_of_cc_pulls_back_a_network_that_is_sure_of_a_wrong_label() -> None:
    z = torch.tensor([[300.0, 0.0, 1.0]], requires_grad=True)
    log_inside(z, torch.tensor([[0.0, 1.0, 1.0]])).sum().neg().backward()
    assert z.grad is not None
    share = 1 / (1 + np.e)
    np.testing.assert_allclose(z.grad.numpy(), [[1, -share, share - 1]], atol=1e-6)


def test_soft_max_inside_a_set_is_the_restricted_soft_max() -> None:
    found = softmax_within(torch.tensor(Z), torch.tensor(SETS)).numpy()
    np.testing.assert_allclose(found, restricted(softmax(Z), SETS), rtol=1e-12)
    assert (found[SETS == 0] == 0).all()


def test_soft_max_inside_a_set_survives_certainty_about_another_label() -> None:
    z = torch.tensor([[500.0, 1.0, 0.0]])
    found = softmax_within(z, torch.tensor([[0.0, 1.0, 1.0]]))
    np.testing.assert_allclose(found.numpy(), [[0, np.e / (1 + np.e), 1 / (1 + np.e)]], rtol=1e-6)


def test_scores_that_vanish_inside_a_set_become_uniform() -> None:
    sets = torch.tensor([[0.0, 1.0, 1.0]])
    assert torch.equal(within(torch.tensor([[5.0, 0.0, 0.0]]), sets), uniform(sets))


@given(z=arrays(np.float64, (3, 5), elements=st.floats(-15, 15)))
def test_the_log_of_not_being_a_label_is_that_of_all_others_together(z: Array) -> None:
    p = softmax(z)
    expected = np.stack([np.log(np.delete(p, k, axis=1).sum(1)) for k in range(5)], axis=1)
    found = log_not(torch.tensor(z)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


def test_the_log_of_not_being_a_label_keeps_its_gradient_where_probabilities_round_to_one() -> None:
    z = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    found = log_not(z)[0, 0]
    found.backward()
    assert found.item() == pytest.approx(np.log(2) - 200, rel=1e-6)
    assert z.grad is not None
    np.testing.assert_allclose(z.grad.numpy(), [[-1, 0.5, 0.5]], atol=1e-6)


def test_the_log_of_not_being_a_label_has_the_gradient_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(log_not, (torch.tensor(Z, requires_grad=True),))
