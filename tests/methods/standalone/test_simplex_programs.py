"""Projections and quadratic programs over probability vectors, against SciPy's general solvers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from bench.training.recipes.graphs import (
    as_matrix,
    reconstruction_gram,
    roughness,
    simplex_weights,
    smooth_labels,
    smoothest_labels,
)
from bench.training.recipes.simplex import minimise, project


def by_slsqp(objective, allowed: np.ndarray) -> np.ndarray:
    """The minimiser over rows in the simplex, 0 where not allowed, by a general solver."""
    n, m = allowed.shape
    start = allowed / allowed.sum(axis=1, keepdims=True)
    sums = {"type": "eq", "fun": lambda flat: flat.reshape(n, m).sum(axis=1) - 1}
    found = minimize(
        lambda flat: objective(flat.reshape(n, m)),
        start.ravel(),
        bounds=[(0, 1 if a else 0) for a in allowed.ravel()],
        constraints=[sums],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return found.x.reshape(n, m)


def some_sets(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    allowed = rng.random((n, m)) < 0.6
    allowed[np.arange(n), rng.integers(0, m, n)] = True
    return allowed


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_a_projection_is_the_nearest_point_of_the_simplex(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, allowed = rng.normal(size=(1, 5)) * 2, some_sets(rng, 1, 5)
    found = project(values, allowed)
    expected = by_slsqp(lambda p: ((p - values) ** 2).sum(), allowed)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found.sum() == pytest.approx(1)
    assert (found[~allowed] == 0).all()


def test_a_point_of_the_simplex_is_its_own_projection() -> None:
    inside = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    assert project(inside, np.ones((2, 3), dtype=bool)) == pytest.approx(inside)


def test_the_accelerated_method_ends_where_slsqp_does() -> None:
    rng = np.random.default_rng(3)
    root = rng.normal(size=(4, 4))
    hessian, linear, allowed = root.T @ root, rng.normal(size=(3, 4)), some_sets(rng, 3, 4)
    found = minimise(
        lambda p: p @ hessian + linear, float(np.linalg.eigvalsh(hessian)[-1]), linear, allowed
    )
    expected = by_slsqp(
        lambda p: 0.5 * np.einsum("ij,jk,ik->", p, hessian, p) + (linear * p).sum(), allowed
    )
    assert found == pytest.approx(expected, abs=1e-5)


def test_reconstruction_weights_are_the_best_convex_combination() -> None:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(6, 4))
    near = np.array([[j for j in range(6) if j != i][:4] for i in range(6)])
    found = simplex_weights(reconstruction_gram(points, near))

    def error(weights: np.ndarray) -> float:
        rebuilt = np.einsum("nk,nkd->nd", weights, points[near])
        return float(((points - rebuilt) ** 2).sum())

    expected = by_slsqp(error, np.ones((6, 4), dtype=bool))
    assert error(found) == pytest.approx(error(expected), abs=1e-5)
    assert found == pytest.approx(expected, abs=1e-3)


def test_neighbours_that_coincide_do_not_stop_the_weights() -> None:
    near = np.array([[1, 2], [0, 2], [0, 1]])
    weights = simplex_weights(reconstruction_gram(np.zeros((3, 2)), near))
    assert weights == pytest.approx(np.full((3, 2), 0.5))


def test_labels_are_close_to_their_targets_and_smooth_on_the_graph() -> None:
    rng = np.random.default_rng(9)
    sets, targets = some_sets(rng, 5, 3), rng.normal(size=(5, 3))
    near = np.array([[1, 2], [0, 3], [4, 0], [1, 4], [2, 3]])
    weights = rng.dirichlet(np.ones(2), size=5)
    graph = roughness(weights, near)
    step = np.eye(5) - as_matrix(weights, near).toarray()
    assert graph.toarray() == pytest.approx(step.T @ step)

    def rough(labels: np.ndarray) -> float:
        return float(((step @ labels) ** 2).sum())

    start = sets / sets.sum(axis=1, keepdims=True)
    found = smooth_labels(targets, graph, sets, 0.7, start)
    expected = by_slsqp(lambda p: ((p - targets) ** 2).sum() + 0.7 * rough(p), sets)
    assert found == pytest.approx(expected, abs=1e-5)
    smoothest = smoothest_labels(graph, sets)
    assert rough(smoothest) == pytest.approx(rough(by_slsqp(rough, sets)), abs=1e-6)
