"""LIP against its published reference and the facts that follow from its formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.api import HeadProblem
from bench.errors import BenchError
from bench.refine.lip import Lip, LipCalibrated, effective_rank, refine

REFERENCE = Path(__file__).parent.parent / "reference" / "lip_reference.npz"


def reference_cases() -> list[tuple[str, int]]:
    with np.load(REFERENCE) as saved:
        return [
            (name.split("/")[0], int(k))
            for name in saved.files
            if name.endswith("/ks")
            for k in saved[name]
        ]


@pytest.mark.parametrize(("case", "k"), reference_cases())
def test_agrees_with_the_published_function(case: str, k: int) -> None:
    with np.load(REFERENCE) as saved:
        weight, features, labels = (torch.from_numpy(saved[f"{case}/{x}"]) for x in "WXY")
        expected = torch.from_numpy(saved[f"{case}/out{k}"])
    found = refine(weight, features, labels, k)
    assert float((found - expected).norm() / expected.norm()) < 1e-9


def draw(seed: int, n: int = 60, q: int = 7, n_labels: int = 5) -> tuple[torch.Tensor, ...]:
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(q, n_labels, dtype=torch.float64, generator=rng)
    features = torch.randn(n, q, dtype=torch.float64, generator=rng)
    hits = torch.randint(0, n_labels, (n,), generator=rng)
    return weight, features, torch.nn.functional.one_hot(hits, n_labels).double()


def problem_of(weight: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> HeadProblem:
    bias = torch.linspace(-1, 1, weight.shape[1], dtype=torch.float64)
    return HeadProblem(weight, bias, x.T @ x, x.T @ y, x.sum(0), y.sum(0), len(x))


def by_subtraction(weight: torch.Tensor, x: torch.Tensor, y: torch.Tensor, k: int) -> torch.Tensor:
    """The four steps as the paper states them, with W_k subtracted from the labels."""
    u, s, vt = torch.linalg.svd(weight, full_matrices=False)
    kept = u[:, :k] @ torch.diag(s[:k]) @ vt[:k]
    residual = y - x @ kept
    tail = []
    for j in range(k, len(s)):
        projected = x @ u[:, j]
        tail.append((projected @ residual @ vt[j]) / (projected @ projected))
    values = torch.tensor(tail, dtype=torch.float64)
    return kept + u[:, k:] @ torch.diag(values) @ vt[k:]


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), k=st.integers(0, 5), q=st.integers(2, 9))
def test_the_whole_path_equals_the_papers_steps_at_every_k(seed: int, k: int, q: int) -> None:
    weight, features, labels = draw(seed, q=q)
    k = min(k, q)
    path = Lip().path(problem_of(weight, features, labels))
    torch.testing.assert_close(
        path.weight(path.ks.index(k)), by_subtraction(weight, features, labels, k)
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_refitted_values_do_not_depend_on_k(seed: int) -> None:
    weight, features, labels = draw(seed)
    path = Lip().path(problem_of(weight, features, labels))
    for position, k in enumerate(path.ks):
        torch.testing.assert_close(path.scale[position, k:], path.scale[0, k:])


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_is_the_identity_at_full_rank(seed: int) -> None:
    weight, features, labels = draw(seed)
    torch.testing.assert_close(refine(weight, features, labels, 5), weight)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), k=st.integers(0, 5))
def test_is_the_identity_on_least_squares(seed: int, k: int) -> None:
    _, features, labels = draw(seed)
    weight = torch.linalg.lstsq(features, labels).solution
    torch.testing.assert_close(refine(weight, features, labels, k), weight)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), ridge=st.floats(0.1, 50))
def test_unshrinks_the_tail_of_a_ridge_solution(seed: int, ridge: float) -> None:
    _, features, labels = draw(seed)
    gram = features.T @ features
    penalty = ridge * torch.eye(7, dtype=torch.float64)
    weight = torch.linalg.solve(gram + penalty, features.T @ labels)
    left, values, _ = torch.linalg.svd(weight, full_matrices=False)
    path = Lip().path(problem_of(weight, features, labels))
    expected = values * (1 + ridge / (features @ left).square().sum(0))
    torch.testing.assert_close(path.scale[0], expected)


def test_a_direction_that_the_features_do_not_reach_keeps_its_value() -> None:
    weight, features, labels = draw(3)
    left, values, _ = torch.linalg.svd(weight, full_matrices=False)
    blind = features - features @ left[:, 4:5] @ left[:, 4:5].T
    path = Lip().path(problem_of(weight, blind, labels))
    assert torch.isclose(path.scale[0, 4], values[4])
    assert bool(torch.isfinite(path.scale).all())


def test_the_head_keeps_its_own_bias() -> None:
    problem = problem_of(*draw(1))
    path = Lip().path(problem)
    assert torch.equal(path.bias, problem.bias.expand(len(path.ks), -1))


def test_a_nan_is_an_error_that_names_the_tensor() -> None:
    weight, features, labels = draw(1)
    weight[0, 0] = torch.nan
    with pytest.raises(BenchError, match="weight holds NaN"):
        refine(weight, features, labels, 2)


def test_shapes_that_do_not_fit_are_an_error() -> None:
    weight, features, labels = draw(1)
    with pytest.raises(BenchError, match="shapes do not fit"):
        refine(weight, features[:, :3], labels, 2)


@pytest.mark.parametrize("k", [-1, 6])
def test_a_rank_out_of_range_is_an_error(k: int) -> None:
    with pytest.raises(BenchError, match=r"0\.\.5"):
        refine(*draw(1), k)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), shift=st.floats(-5, 5))
def test_calibrated_logits_do_not_change_when_features_are_shifted(seed: int, shift: float) -> None:
    weight, x, y = draw(seed)
    moved = x + shift
    path = LipCalibrated().path(problem_of(weight, x, y))
    other = LipCalibrated().path(problem_of(weight, moved, y))
    for i in range(len(path.ks)):
        torch.testing.assert_close(
            x @ path.weight(i) + path.bias[i],
            moved @ other.weight(i) + other.bias[i],
            rtol=1e-6,
            atol=1e-8,
        )


def test_calibrated_recovers_the_scale_of_a_scaled_least_squares_head() -> None:
    _, x, y = draw(5)
    centred = x - x.mean(0)
    solution = torch.linalg.lstsq(centred, y - y.mean(0)).solution
    path = LipCalibrated().path(problem_of(25 * solution, x, y))
    for i in range(len(path.ks)):
        torch.testing.assert_close(path.weight(i), 25 * solution)


def test_effective_rank_of_equal_values_is_their_number() -> None:
    assert effective_rank(torch.full((6,), 2.5)) == pytest.approx(6)


def test_effective_rank_of_one_direction_is_one() -> None:
    assert effective_rank(torch.tensor([3.0, 0.0, 0.0])) == pytest.approx(1)
