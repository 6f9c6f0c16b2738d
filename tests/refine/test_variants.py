"""LIP's variants against their formulas, written out once more in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.refine.lip import Lip, LipCalibrated
from bench.refine.variants import LipBelief, LipCrossfit, LipKernel

Make = Callable[..., Any]


def crossfit_by_hand(case: Any, held: Any) -> np.ndarray:
    """<X_v u, Y_v v> / (|X_v u|² + ρ), a direction at a time, from the samples themselves."""
    u, s, v = case.svd()
    found = []
    for j in range(len(s)):
        projected, target = held.x @ u[:, j], held.y @ v[:, j]
        slope = projected @ target / (projected @ projected)
        noise = np.mean((target - slope * projected) ** 2)
        trained_x = case.x @ u[:, j]
        size = trained_x @ (case.y @ v[:, j]) / (trained_x @ trained_x)
        found.append(projected @ target / (projected @ projected + noise / size**2))
    return np.array(found)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), q=st.integers(2, 9))
def test_crossfit_values_are_the_shrunk_held_out_regression(case: Make, seed: int, q: int) -> None:
    trained, held = case(seed, q=q), case(seed + 1, n=40, q=q)
    path = LipCrossfit().path(trained.problem(held.problem()))
    np.testing.assert_allclose(path.scale[0].numpy(), crossfit_by_hand(trained, held), rtol=1e-9)


def planted(seed: int, n: int, basis: tuple[np.ndarray, np.ndarray], signal: float) -> Any:
    """Labels that depend on the first direction alone, with unit noise on all of them."""
    rng = np.random.default_rng(seed)
    u, v = basis
    x = rng.normal(size=(n, len(u)))
    return x, signal * np.outer(x @ u[:, 0], v[:, 0]) + rng.normal(size=(n, len(v)))


def test_crossfit_keeps_a_planted_signal_and_drops_directions_of_noise(case: Make) -> None:
    rng = np.random.default_rng(0)
    q, n_classes = 30, 6
    u = np.linalg.qr(rng.normal(size=(q, n_classes))).Q
    v = np.linalg.qr(rng.normal(size=(n_classes, n_classes))).Q
    values = np.array([6.0, 5, 4, 3, 2, 1])
    x, y = planted(1, 60, (u, v), signal=1.0)
    held_x, held_y = planted(2, 400, (u, v), signal=1.0)
    shape = case(0, q=q, n_classes=n_classes)
    trained = replace(shape, weight=(u * values) @ v.T, x=x, y=y)
    held = replace(trained, x=held_x, y=held_y)
    path = LipCrossfit().path(trained.problem(held.problem()))
    tail = path.scale[0].numpy()
    plain = Lip().path(trained.problem()).scale[0].numpy()
    assert tail[0] == pytest.approx(1.0, abs=0.15)
    assert np.linalg.norm(tail[1:]) < 0.5 * np.linalg.norm(plain[1:])


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_crossfit_never_exceeds_the_unshrunk_held_out_regression(case: Make, seed: int) -> None:
    trained, held = case(seed), case(seed + 1, n=30)
    tail = LipCrossfit().path(trained.problem(held.problem())).scale[0].numpy()
    u, _, v = trained.svd()
    projected = held.x @ u
    plain = (projected * (held.y @ v)).sum(axis=0) / (projected**2).sum(axis=0)
    assert (np.abs(tail) <= np.abs(plain) + 1e-12).all()
    assert (np.sign(tail) == np.sign(plain)).all()


def test_crossfit_believes_nothing_of_a_direction_that_training_labels_deny(case: Make) -> None:
    # A re-fitted training value of exactly 0 is a prior of no width: the limit of small ones.
    trained, held = case(4), case(5)
    nothing = replace(trained, y=np.zeros_like(trained.y))
    almost = replace(trained, y=1e-9 * trained.y)
    found = LipCrossfit().path(nothing.problem(held.problem())).scale[0].numpy()
    limit = LipCrossfit().path(almost.problem(held.problem())).scale[0].numpy()
    np.testing.assert_allclose(found, 0, atol=1e-12)
    np.testing.assert_allclose(limit, 0, atol=1e-9)


def test_crossfit_keeps_what_held_out_features_do_not_reach(case: Make) -> None:
    trained, held = case(3), case(4)
    u, s, _ = trained.svd()
    blind = replace(held, x=held.x - np.outer(held.x @ u[:, 4], u[:, 4]))
    tail = LipCrossfit().path(trained.problem(blind.problem())).scale[0].numpy()
    assert tail[4] == pytest.approx(s[4])
    assert not np.isclose(tail[3], s[3])


def test_crossfit_without_held_out_samples_says_so(case: Make) -> None:
    with pytest.raises(BenchError, match="needs the statistics of held-out samples"):
        LipCrossfit().path(case(0).problem())


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), k=st.integers(0, 5))
def test_belief_is_lip_on_the_matrix_it_is_given(
    case: Make, head_at: Make, seed: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    trained = case(seed)
    believed = replace(trained, y=rng.dirichlet(np.ones(5), len(trained.y)))
    u, s, v = believed.svd()
    kept = (u[:, :k] * s[:k]) @ v[:, :k].T
    residual = believed.y - believed.x @ kept
    projected = believed.x @ u[:, k:]
    tail = (projected * (residual @ v[:, k:])).sum(axis=0) / (projected**2).sum(axis=0)
    path = LipBelief().path(believed.problem())
    np.testing.assert_allclose(head_at(path, k), kept + (u[:, k:] * tail) @ v[:, k:].T, atol=1e-9)


def gaussian_kernel(seed: int, n: int) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(n, 3))
    square = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    return np.exp(-square / 4)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), ridge=st.floats(0.05, 5), n_classes=st.integers(2, 6))
def test_kernel_unshrinks_a_dual_ridge_solution_by_its_rayleigh_quotient(
    case: Make, seed: int, ridge: float, n_classes: int
) -> None:
    # (K + λ I) A = Y - 1 bᵀ and A v = s u: <K u, (Y - 1 bᵀ) v> = s (|K u|² + λ uᵀK u).
    n = 24
    kernel = gaussian_kernel(seed, n)
    rng = np.random.default_rng(seed)
    y, bias = np.eye(n_classes)[rng.integers(0, n_classes, n)], rng.normal(size=n_classes)
    dual = np.linalg.solve(kernel + ridge * np.eye(n), y - bias)
    trained = replace(case(0), weight=dual, bias=bias, x=kernel, y=y)
    u, s, _ = trained.svd()
    image = kernel @ u
    factor = 1 + ridge * (u * image).sum(axis=0) / (image**2).sum(axis=0)
    tail = LipKernel().path(trained.problem()).scale[0].numpy()
    np.testing.assert_allclose(tail, factor * s, rtol=1e-7)
    assert (factor > 1).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), k=st.integers(0, 5))
def test_kernel_is_lip_on_labels_without_the_intercept(
    case: Make, head_at: Make, seed: int, k: int
) -> None:
    trained = case(seed)
    moved = replace(trained, y=trained.y - trained.bias)
    found, expected = LipKernel().path(trained.problem()), Lip().path(moved.problem())
    np.testing.assert_allclose(head_at(found, k), head_at(expected, k), atol=1e-10)
    assert torch.equal(found.bias[k], torch.from_numpy(trained.bias))


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), alpha=st.floats(0.1, 50))
def test_lips_tail_stays_on_the_scale_of_the_labels_whatever_the_heads_scale(
    case: Make, seed: int, alpha: float
) -> None:
    one = case(seed)
    other = replace(one, weight=alpha * one.weight)
    np.testing.assert_allclose(
        Lip().path(other.problem()).scale[0].numpy(),
        Lip().path(one.problem()).scale[0].numpy(),
        rtol=1e-8,
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), alpha=st.floats(0.1, 50))
def test_the_calibrated_tail_grows_with_the_head(
    case: Make, head_at: Make, seed: int, alpha: float
) -> None:
    one = case(seed)
    other = replace(one, weight=alpha * one.weight)
    small, large = LipCalibrated().path(one.problem()), LipCalibrated().path(other.problem())
    for position in range(len(small.ks)):
        np.testing.assert_allclose(
            head_at(large, position), alpha * head_at(small, position), rtol=1e-6, atol=1e-9
        )
