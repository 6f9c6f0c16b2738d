"""What is kept of a trained head's singular structure, against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from bench.api import HeadProblem
from bench.refine.spectrum import LARGEST, RIDGE_STRENGTH, spectrum_of

N, Q, C = 80, 6, 4


def problem(labels: np.ndarray, x: np.ndarray, weight: np.ndarray) -> HeadProblem:
    y = torch.from_numpy(np.eye(C)[labels])
    features = torch.from_numpy(x)
    return HeadProblem(
        torch.from_numpy(weight),
        torch.zeros(C, dtype=torch.float64),
        features.T @ features,
        features.T @ y,
        features.sum(0),
        y.sum(0),
        len(x),
    )


@pytest.fixture
def parts() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, weight, true and given labels."""
    rng = np.random.default_rng(4)
    true = rng.integers(0, C, N)
    given = np.where(rng.random(N) < 0.3, (true + 1) % C, true)
    x = rng.normal(size=(N, Q)) + np.eye(Q)[true] * 2
    return x, rng.normal(size=(Q, C)), true, given


def test_values_and_right_vectors_rebuild_the_weights_gram_matrix(
    parts: tuple[np.ndarray, ...],
) -> None:
    x, weight, _, given = parts
    found = spectrum_of(0, problem(given, x, weight), None, 0.0, {})
    right, values = np.array(found.right), np.array(found.singular_values)
    assert right.shape == (C, C)
    assert (right * values**2) @ right.T == pytest.approx(weight.T @ weight, abs=1e-5)
    assert found.ridge is None


def test_ridge_heads_of_given_and_true_labels_are_numpys(parts: tuple[np.ndarray, ...]) -> None:
    x, weight, true, given = parts
    change = 2.0 * (true != given).sum()
    found = spectrum_of(0, problem(given, x, weight), problem(true, x, weight), change, {}).ridge
    assert found is not None
    gram = x.T @ x
    eigenvalues = np.linalg.eigvalsh(gram)
    penalty = RIDGE_STRENGTH * eigenvalues.mean()
    rights = []
    for labels, values in ((true, found.true_values), (given, found.given_values)):
        head = np.linalg.solve(gram + penalty * np.eye(Q), x.T @ np.eye(C)[labels])
        _, expected, right = np.linalg.svd(head, full_matrices=False)
        assert values == pytest.approx(expected, rel=1e-9)
        rights.append(right.T)
    sines = [np.sin(subspace_angles(rights[0][:, :k], rights[1][:, :k]).max()) for k in (1, 2, 3)]
    assert found.sines[:3] == pytest.approx(sines, abs=1e-9)
    assert found.penalty == pytest.approx(penalty)
    assert found.sigma_max == pytest.approx(np.linalg.norm(x, 2))
    assert found.lambda_min == pytest.approx(eigenvalues[0])
    assert found.label_change == change


def test_equal_labels_turn_nothing(parts: tuple[np.ndarray, ...]) -> None:
    x, weight, true, _ = parts
    same = problem(true, x, weight)
    ridge = spectrum_of(0, same, same, 0.0, {}).ridge
    assert ridge is not None
    assert ridge.sines == pytest.approx([0] * C, abs=1e-7)


def test_features_too_many_for_an_audit_have_no_ridge_heads() -> None:
    q = LARGEST + 1
    wide = HeadProblem(
        torch.zeros(q, 2, dtype=torch.float64),
        torch.zeros(2, dtype=torch.float64),
        torch.zeros(q, q, dtype=torch.float64),
        torch.zeros(q, 2, dtype=torch.float64),
        torch.zeros(q, dtype=torch.float64),
        torch.zeros(2, dtype=torch.float64),
        3,
    )
    assert spectrum_of(0, wide, wide, 0.0, {}).ridge is None


def test_features_without_any_variation_do_not_stop_the_audit() -> None:
    flat = problem(np.zeros(N, dtype=int), np.zeros((N, Q)), np.zeros((Q, C)))
    ridge = spectrum_of(0, flat, flat, 0.0, {}).ridge
    assert ridge is not None
    assert ridge.true_values == (0,) * C
