"""Similarity of subspaces, its chance level, angles and their bound, by other derivations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import subspace_angles

from bench.stats.subspace import (
    above_chance,
    chance_level,
    energy_rank,
    largest_sines,
    similarity,
    sine_bounds,
)

LABELS = 12


def basis(seed: int, columns: int = LABELS) -> np.ndarray:
    """Orthonormal columns that are uniform among all such."""
    draws = np.random.default_rng(seed).normal(size=(LABELS, columns))
    q, r = np.linalg.qr(draws)
    return q * np.sign(np.diag(r))


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), i=st.integers(1, 8), j=st.integers(1, 8))
def test_similarity_is_the_mean_squared_cosine_of_the_principal_angles(
    seed: int, i: int, j: int
) -> None:
    first, second = basis(seed), basis(seed + 1)
    found = similarity(first, second)[i - 1, j - 1]
    cosines = np.cos(subspace_angles(first[:, :i], second[:, :j]))
    assert found == pytest.approx(np.square(cosines).sum() / min(i, j), abs=1e-9)


def test_a_subspace_is_like_itself_and_unlike_its_complement() -> None:
    whole = basis(3)
    assert np.diag(similarity(whole, whole)) == pytest.approx(np.ones(LABELS))
    apart = similarity(whole[:, :4], whole[:, 4:8])
    assert apart == pytest.approx(np.zeros((4, 4)), abs=1e-12)


def test_similarity_does_not_hang_on_the_signs_of_singular_vectors() -> None:
    first, second = basis(5), basis(6)
    flipped = second * np.where(np.arange(LABELS) % 2, -1, 1)
    assert similarity(first, flipped) == pytest.approx(similarity(first, second), abs=1e-12)


def test_chance_level_is_the_mean_of_random_subspaces() -> None:
    found = [similarity(basis(2 * seed, 6), basis(2 * seed + 1, 6)) for seed in range(1500)]
    standard_error = np.std(found, axis=0) / np.sqrt(len(found))
    distance = np.abs(np.mean(found, axis=0) - chance_level((6, 6), LABELS))
    assert (distance < 5 * standard_error).all()


def test_above_chance_is_0_at_chance_1_when_equal_and_nothing_where_chance_is_1() -> None:
    chance = chance_level((LABELS, LABELS), LABELS)
    assert above_chance(chance, LABELS)[:-1, :-1] == pytest.approx(0, abs=1e-12)
    ones = above_chance(np.ones((LABELS, LABELS)), LABELS)
    assert ones[:-1, :-1] == pytest.approx(1)
    assert np.isnan(ones[-1]).all()


def test_vectors_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="vectors of 12 and of 3 labels"):
        similarity(basis(0), np.eye(3))


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_the_largest_sine_is_that_of_scipys_principal_angles(seed: int) -> None:
    first, second = basis(seed), basis(seed + 7)
    expected = [
        np.sin(subspace_angles(first[:, :k], second[:, :k]).max()) for k in range(1, LABELS)
    ]
    assert largest_sines(first, second)[:-1] == pytest.approx(expected, abs=1e-9)


def test_a_tiny_angle_is_not_rounded_away() -> None:
    tilt = 1e-9
    first = np.eye(3)[:, :1]
    second = np.array([[np.cos(tilt)], [np.sin(tilt)], [0.0]])
    assert largest_sines(first, second)[0] == pytest.approx(tilt, rel=1e-6)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    wrong=st.floats(0.02, 0.5),
    strength=st.sampled_from([1e-3, 1e-1, 10.0]),
)
def test_the_bound_holds_for_ridge_heads_of_true_and_wrong_labels(
    seed: int, wrong: float, strength: float
) -> None:
    rng = np.random.default_rng(seed)
    n, q, labels = 60, 5, 4
    x = rng.normal(size=(n, q)) * rng.uniform(0.5, 2, q)
    true = rng.integers(0, labels, n)
    given_labels = np.where(rng.random(n) < wrong, rng.integers(0, labels, n), true)
    heads = []
    for y in (true, given_labels):
        target = np.eye(labels)[y]
        weight = np.linalg.solve(x.T @ x + strength * np.eye(q), x.T @ target)
        _, values, right = np.linalg.svd(weight, full_matrices=False)
        heads.append((values, right.T))
    eigenvalues = np.linalg.eigvalsh(x.T @ x)
    bounds = sine_bounds(
        sigma_max=float(np.sqrt(eigenvalues[-1])),
        lambda_min=float(eigenvalues[0]),
        penalty=strength,
        label_change=2.0 * float((true != given_labels).sum()),
        true_values=heads[0][0],
        given_values=heads[1][0],
    )
    sines = largest_sines(heads[0][1], heads[1][1])
    assert (sines <= bounds + 1e-9).all()


def test_a_bound_without_a_gap_says_nothing_and_one_without_wrong_labels_is_0() -> None:
    facts = {"sigma_max": 2.0, "lambda_min": 1.0, "penalty": 0.5}
    flat = np.array([1.0, 1.0])
    assert np.isinf(sine_bounds(**facts, label_change=4, true_values=flat, given_values=flat)[0])
    steep = np.array([2.0, 1.0])
    same = sine_bounds(**facts, label_change=0, true_values=steep, given_values=steep)
    assert same.tolist() == [0, 0]


@pytest.mark.parametrize(("share", "rank"), [(0.5, 1), (16 / 25, 1), (0.7, 2), (1.0, 2)])
def test_energy_rank_is_the_smallest_that_holds_the_share(share: float, rank: int) -> None:
    assert energy_rank(np.array([4.0, 3.0]), share) == rank


def test_a_head_of_zeros_has_rank_1() -> None:
    assert energy_rank(np.zeros(3), 0.9) == 1
