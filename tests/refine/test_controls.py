"""The controls that a gain must beat: what each of them is, by an independent road."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge

from bench.errors import BenchError
from bench.refine.controls import PrincipalSubspace, Recentre
from bench.refine.random_basis import RandomBasis
from bench.refine.ridge import RidgeReadOut
from bench.refine.tail_constant import TailConstant

Make = Callable[..., Any]


def test_truncation_is_the_best_approximation_of_its_rank(case: Make, head_at: Make) -> None:
    trained = case(1)
    path = PrincipalSubspace().path(trained.problem())
    for k in range(1, 5):
        machine = TruncatedSVD(k, algorithm="arpack", random_state=0).fit(trained.weight)
        expected = machine.inverse_transform(machine.transform(trained.weight))
        np.testing.assert_allclose(head_at(path, path.ks.index(k)), expected, atol=1e-8)
    assert not head_at(path, 0).any()


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), q=st.integers(2, 9))
def test_a_constant_tail_of_zero_is_truncation_at_every_k(
    case: Make, head_at: Make, seed: int, q: int
) -> None:
    trained = case(seed, q=q)
    path = TailConstant(factor=0.0).path(trained.problem())
    u, s, v = trained.svd()
    for position, k in enumerate(path.ks):
        expected = (u[:, :k] * s[:k]) @ v[:, :k].T
        np.testing.assert_allclose(head_at(path, position), expected, atol=1e-10)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), q=st.integers(2, 9))
def test_a_constant_tail_of_one_changes_nothing_at_any_k(
    case: Make, head_at: Make, seed: int, q: int
) -> None:
    trained = case(seed, q=q)
    path = TailConstant(factor=1.0).path(trained.problem())
    for position in range(len(path.ks)):
        np.testing.assert_allclose(head_at(path, position), trained.weight, atol=1e-10)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), factor=st.floats(0, 4), k=st.integers(0, 5))
def test_a_constant_tail_lies_between_truncation_and_the_head(
    case: Make, head_at: Make, seed: int, factor: float, k: int
) -> None:
    trained = case(seed)
    path = TailConstant(factor=factor).path(trained.problem())
    truncated = head_at(PrincipalSubspace().path(trained.problem()), k)
    expected = truncated + factor * (trained.weight - truncated)
    np.testing.assert_allclose(head_at(path, k), expected, atol=1e-9)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    strength=st.floats(1e-3, 10),
    q=st.integers(2, 9),
    shift=st.floats(-5, 5),
)
def test_ridge_read_out_is_scikit_learns_ridge_with_intercept(
    case: Make, head_at: Make, seed: int, strength: float, q: int, shift: float
) -> None:
    made = case(seed, q=q)
    trained = replace(made, x=made.x + shift)
    path = RidgeReadOut(strength=strength).path(trained.problem())
    centred = trained.x - trained.x.mean(axis=0)
    penalty = strength * float(np.mean(np.linalg.eigvalsh(centred.T @ centred)))
    machine = Ridge(alpha=penalty, solver="svd").fit(trained.x, trained.y)
    np.testing.assert_allclose(head_at(path, 0), machine.coef_.T, atol=1e-7)
    np.testing.assert_allclose(path.bias[0].numpy(), machine.intercept_, atol=1e-6)


def test_ridge_read_out_forgets_the_trained_head(case: Make, head_at: Make) -> None:
    one = case(2)
    other = replace(one, weight=-3 * one.weight, bias=one.bias + 1)
    found = [RidgeReadOut().path(c.problem()) for c in (one, other)]
    np.testing.assert_array_equal(head_at(found[0], 0), head_at(found[1], 0))


def test_ridge_read_out_of_constant_features_is_the_class_prior(case: Make, head_at: Make) -> None:
    made = case(2)
    trained = replace(made, x=np.zeros_like(made.x))
    path = RidgeReadOut().path(trained.problem())
    assert not head_at(path, 0).any()
    np.testing.assert_allclose(path.bias[0].numpy(), trained.y.mean(axis=0))


def test_ridge_read_out_names_features_that_are_not_finite(case: Make) -> None:
    made = case(2)
    made.x[3, 2] = np.inf
    with (
        pytest.raises(BenchError, match="the features hold NaN or infinity"),
        np.errstate(all="ignore"),
    ):
        RidgeReadOut().path(made.problem())


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    draw=st.integers(0, 50),
    q=st.integers(2, 9),
    n_classes=st.integers(2, 9),
)
def test_a_random_basis_is_orthonormal_in_the_heads_own_label_space(
    case: Make, seed: int, draw: int, q: int, n_classes: int
) -> None:
    trained = case(seed, q=q, n_classes=n_classes)
    path = RandomBasis(draw=draw).path(trained.problem())
    right = path.right.numpy()
    _, _, v = trained.svd()
    np.testing.assert_allclose(right.T @ right, np.eye(right.shape[1]), atol=1e-9)
    np.testing.assert_allclose(right @ right.T, v @ v.T, atol=1e-9)
    values = path.scale[-1].numpy()
    np.testing.assert_allclose(values, np.linalg.norm(trained.weight @ right, axis=0), atol=1e-9)
    assert (np.diff(values) <= 1e-12).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), k=st.integers(0, 5))
def test_a_random_basis_refits_its_tail_as_lip_does(
    case: Make, head_at: Make, seed: int, k: int
) -> None:
    trained = case(seed)
    path = RandomBasis().path(trained.problem())
    right = path.right.numpy()
    image = trained.weight @ right
    kept = image[:, :k] @ right[:, :k].T
    residual = trained.y - trained.x @ kept
    for j in range(k, right.shape[1]):
        left = image[:, j] / np.linalg.norm(image[:, j])
        projected = trained.x @ left
        value = projected @ residual @ right[:, j] / (projected @ projected)
        kept = kept + value * np.outer(left, right[:, j])
    np.testing.assert_allclose(head_at(path, k), kept, atol=1e-9)


def test_another_draw_is_another_basis_and_the_same_draw_the_same(case: Make) -> None:
    problem = case(0).problem()
    one, again, other = (RandomBasis(draw=d).path(problem).right.numpy() for d in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


def test_recentring_gives_mean_logits_in_proportion_to_the_class_prior(case: Make) -> None:
    trained = case(6)
    path = Recentre().path(trained.problem())
    np.testing.assert_allclose(path.weight(0).numpy(), trained.weight, atol=1e-12)
    logits = trained.x @ trained.weight + path.bias[0].numpy()
    ratio = logits.mean(axis=0) / trained.y.mean(axis=0)
    np.testing.assert_allclose(ratio, ratio[0])
