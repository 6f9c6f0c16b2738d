"""Kernel learners: their regression against NumPy and scikit-learn, and objectives that fall."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from sklearn.linear_model import Ridge
from sklearn.neighbors import kneighbors_graph

from bench.training.recipes.standalone import KernelRidge

Fitted = Callable[..., Any]
Small = tuple[np.ndarray, np.ndarray, np.ndarray]

KERNEL = ["kernel-ridge", "lalo", "sure", "pl-aggd", "pl-cl"]


def gaussian(x: np.ndarray) -> np.ndarray:
    distances = pdist(x)
    return np.exp(-(squareform(distances) ** 2) / (2 * distances.mean() ** 2))


def test_kernel_ridge_solves_the_normal_equations_with_a_free_intercept(small: Small) -> None:
    x, sets, _ = small
    kernel, targets, ridge = gaussian(x), sets.astype(float), 0.3
    weight, bias = KernelRidge(kernel, ridge).fit(targets)
    n = len(x)
    ones = np.ones((n, 1))
    system = np.block([[kernel + ridge * np.eye(n), ones], [ones.T, np.zeros((1, 1))]])
    expected = np.linalg.solve(system, np.vstack([targets, np.zeros((1, 3))]))
    assert weight == pytest.approx(expected[:-1], abs=1e-8)
    assert bias == pytest.approx(expected[-1], abs=1e-8)


def test_kernel_ridge_is_at_the_minimum_of_its_objective(small: Small) -> None:
    x, sets, _ = small
    kernel, targets = gaussian(x), sets.astype(float)
    weight, bias = KernelRidge(kernel, 0.3).fit(targets)

    def objective(weight: np.ndarray, bias: np.ndarray) -> float:
        error = ((kernel @ weight + bias - targets) ** 2).sum()
        return float(error + 0.3 * np.trace(weight.T @ kernel @ weight))

    least = objective(weight, bias)
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = 1e-3 * rng.normal(size=weight.shape)
        assert objective(weight + step, bias) >= least - 1e-12
        assert objective(weight, bias + 1e-3 * rng.normal(size=3)) >= least - 1e-12


def test_single_labels_make_ridge_scikit_learns_ridge(fitted: Fitted, small: Small) -> None:
    x, _, true = small
    method = fitted("ridge", x, np.eye(3, dtype=bool)[true], ridge=2.0)
    expected = Ridge(alpha=2.0).fit(x, np.eye(3)[true])
    head = method.machine.head
    assert head.weight.numpy() == pytest.approx(expected.coef_, abs=1e-5)
    assert head.bias.numpy() == pytest.approx(expected.intercept_, abs=1e-5)


@pytest.mark.parametrize("name", KERNEL)
def test_the_machine_predicts_by_its_kernel_and_dual_weight(
    name: str, fitted: Fitted, small: Small
) -> None:
    x, sets, _ = small
    method = fitted(name, x, sets)
    head = method.machine.head
    expected = gaussian(x) @ head.weight.numpy().T + head.bias.numpy()
    with torch.no_grad():
        found = method.machine(torch.from_numpy(x).float()).numpy()
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", [*KERNEL, "ridge"])
def test_confidences_are_distributions_over_the_candidates(
    name: str, fitted: Fitted, small: Small
) -> None:
    x, sets, true = small
    confidence = fitted(name, x, sets).label_belief().numpy()
    assert confidence.sum(axis=1) == pytest.approx(np.ones(len(x)), abs=1e-5)
    assert (confidence[~sets] == 0).all()
    assert (confidence >= 0).all()
    guess = (1 / sets.sum(axis=1)).mean()
    assert (confidence.argmax(axis=1) == true).mean() > guess + 0.1


@pytest.mark.parametrize("name", [*KERNEL, "ridge"])
def test_single_labels_are_believed(name: str, fitted: Fitted, small: Small) -> None:
    x, _, true = small
    single = np.eye(3, dtype=bool)[true]
    assert fitted(name, x, single).label_belief().numpy() == pytest.approx(single.astype(float))


def test_sures_labels_are_the_best_of_all_programs(fitted: Fitted, small: Small) -> None:
    x, sets, _ = small
    method = fitted("sure", x, sets, lam=0.8, rounds=1)
    rng = np.random.default_rng(2)
    outputs, allowed = rng.normal(size=(6, 3)), sets[:6]
    found = method.decided(outputs, allowed)

    def value(p: np.ndarray, q: np.ndarray) -> float:
        return float(((p - q) ** 2).sum() - 0.8 * p.max())

    steps = np.linspace(0, 1, 101)
    grid = [np.array([a, b, 1 - a - b]) for a, b in product(steps, steps) if a + b <= 1 + 1e-12]
    for p, q, inside in zip(found, outputs, allowed, strict=True):
        best = min(value(g, q) for g in grid if not g[~inside].any())
        assert value(p, q) <= best + 1e-9


def falls(values: list[float]) -> bool:
    return all(after <= before + 1e-6 * abs(before) for before, after in pairwise(values))


def by_rounds(fitted: Fitted, name: str, small: Small, **params: Any) -> list[Any]:
    x, sets, _ = small
    return [fitted(name, x, sets, rounds=rounds, **params) for rounds in (1, 2, 4, 8)]


def regression(method: Any, kernel: np.ndarray, ridge: float) -> float:
    """Squared error against the confidences, and the penalty."""
    weight = method.machine.head.weight.numpy().T.astype(float)
    outputs = kernel @ weight + method.machine.head.bias.numpy()
    labels = method.label_belief().numpy().astype(float)
    penalty = np.trace(weight.T @ kernel @ weight)
    return float(((outputs - labels) ** 2).sum() + ridge * penalty)


def test_the_objective_of_sure_falls_with_its_rounds(fitted: Fitted, small: Small) -> None:
    kernel = gaussian(small[0])
    values = []
    for method in by_rounds(fitted, "sure", small, tolerance=1e-12):
        labels = method.label_belief().numpy()
        values.append(regression(method, kernel, 0.05) - 0.3 * float(labels.max(axis=1).sum()))
    assert falls(values)
    assert values[-1] < values[0]


def test_the_objective_of_lalo_falls_with_its_rounds(fitted: Fitted, small: Small) -> None:
    x = small[0]
    kernel = gaussian(x)
    near = kneighbors_graph(x, 10).toarray() * kernel
    near = (near + near.T) / 2
    values = []
    for method in by_rounds(fitted, "lalo", small, mu=0.05):
        labels = method.label_belief().numpy().astype(float)
        apart = ((labels[:, None] - labels[None]) ** 2).sum(axis=2)
        values.append(regression(method, kernel, 0.05) + 0.05 * float((near * apart).sum()))
    assert falls(values)
    assert values[-1] < values[0]


def test_the_complement_of_pl_cl_is_between_its_classifier_and_the_other_labels(
    fitted: Fitted, small: Small
) -> None:
    x, sets, _ = small
    method = fitted("pl-cl", x, sets)
    rng = np.random.default_rng(4)
    complement, labels = rng.random(sets.shape), method.label_belief().numpy().astype(float)
    found = method.coupled(complement, labels, sets)
    assert (found[~sets] == 1).all()
    # The minimum of alpha (q - h)² + beta (q - (1 - p))² over q in 0..1, on a grid.
    grid = np.linspace(0, 1, 2001)
    for i, j in zip(*np.nonzero(sets[:10]), strict=True):
        cost = 0.5 * (grid - complement[i, j]) ** 2 + 0.5 * (grid - (1 - labels[i, j])) ** 2
        assert found[i, j] == pytest.approx(grid[cost.argmin()], abs=1e-3)
