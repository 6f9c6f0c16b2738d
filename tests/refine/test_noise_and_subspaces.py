"""What label noise does to the right singular vectors, in expectation over the wrong labels.

With centred features the cross-covariance with expected labels Y T is (XᵀY) T. Symmetric noise has
T = a I + b 1 1ᵀ, and Y 1 = 1 is constant, so that centred features see only a XᵀY: the singular
values shrink by a and V stays. A high subspace similarity under symmetric noise proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.api import DataInfo
from bench.refine.lip import LipCalibrated
from bench.refine.ridge import RidgeReadOut
from bench.registry import Registry

Make = Callable[..., Any]

CLASSES = ("ant", "bee", "cat", "dog", "elk")


def matrix_of(registry: Registry, name: str, **params: Any) -> np.ndarray:
    """The transition matrix of a shipped noise on five classes."""
    info = DataInfo("made-up", "0" * 64, 100, 10, CLASSES, (4,))
    return np.asarray(registry.create("noise", name, params).transition_matrix(info))


def right_vectors(made: Any, labels: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Singular values and right vectors of the ridge read-out of these labels."""
    weight = RidgeReadOut(strength=strength).path(replace(made, y=labels).problem()).weight(0)
    _, s, vt = np.linalg.svd(weight.numpy(), full_matrices=False)
    return s, vt.T


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    rate=st.floats(0.05, 0.7),
    strength=st.sampled_from([1e-3, 0.1, 2.0]),
    convention=st.sampled_from(["exclusive", "inclusive"]),
)
def test_symmetric_noise_leaves_the_right_singular_vectors_in_expectation(
    registry: Registry, case: Make, seed: int, rate: float, strength: float, convention: str
) -> None:
    made = case(seed)
    noise = matrix_of(registry, "symmetric", rate=rate, convention=convention)
    s, v = right_vectors(made, made.y, strength)
    noisy_s, noisy_v = right_vectors(made, made.y @ noise, strength)
    a = 1 - rate if convention == "inclusive" else 1 - rate * 5 / 4
    # The fifth direction is 1 1ᵀ with value 0: labels sum to one.
    np.testing.assert_allclose(noisy_s[:4], abs(a) * s[:4], atol=1e-9)
    kept = [j for j in range(4) if np.min(np.abs(np.delete(s, j) - s[j])) > 1e-3]
    np.testing.assert_allclose(np.abs((v * noisy_v).sum(axis=0))[kept], 1, atol=1e-6)


@pytest.mark.parametrize("rate", [0.2, 0.45])
def test_asymmetric_noise_rotates_the_right_singular_vectors(
    registry: Registry, case: Make, rate: float
) -> None:
    made = case(0, n=400)
    swap = {"ant": "bee", "cat": "dog"}
    noise = matrix_of(registry, "asymmetric", rate=rate, map=swap)
    _, v = right_vectors(made, made.y, 0.01)
    _, noisy_v = right_vectors(made, made.y @ noise, 0.01)
    overlap = np.linalg.svd(v[:, :2].T @ noisy_v[:, :2])[1] ** 2
    assert overlap.mean() < 0.99


def test_pairflip_is_class_dependent_too(registry: Registry, case: Make) -> None:
    made = case(1, n=400)
    noise = matrix_of(registry, "pairflip", rate=0.4)
    _, v = right_vectors(made, made.y, 0.01)
    _, noisy_v = right_vectors(made, made.y @ noise, 0.01)
    assert np.abs((v * noisy_v).sum(axis=0))[:4].min() < 0.99


def test_drawn_symmetric_labels_approach_their_expectation(registry: Registry, case: Make) -> None:
    # The expectation is what the fact is about: one draw of finite data does rotate V.
    made = case(2, n=60)
    noise = matrix_of(registry, "symmetric", rate=0.4)
    rng = np.random.default_rng(0)
    rows = noise[made.y.argmax(axis=1)].cumsum(axis=1)
    centred = made.x - made.x.mean(axis=0)
    draws = [
        centred.T @ np.eye(5)[(rng.random((60, 1)) > rows).sum(axis=1).clip(max=4)]
        for _ in range(4000)
    ]
    expected = (1 - 0.4 * 5 / 4) * centred.T @ made.y
    errors = np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
    assert (np.abs(np.mean(draws, axis=0) - expected) < 5 * errors).all()
    assert np.abs(draws[0] - expected).max() > 1


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), rate=st.floats(0.05, 0.6))
def test_calibrated_lip_sees_nothing_of_expected_symmetric_noise(
    registry: Registry, case: Make, head_at: Make, seed: int, rate: float
) -> None:
    # Its features are centred and its scale is free, so that a XᵀY gives the same head as XᵀY.
    made = case(seed)
    noise = matrix_of(registry, "symmetric", rate=rate)
    clean = LipCalibrated().path(made.problem())
    noisy = LipCalibrated().path(replace(made, y=made.y @ noise).problem())
    for position in range(len(clean.ks)):
        np.testing.assert_allclose(
            head_at(noisy, position), head_at(clean, position), rtol=1e-6, atol=1e-8
        )
