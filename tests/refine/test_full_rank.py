"""Where a refiner must leave the head alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.api import Refiner
from bench.refine.controls import Recentre
from bench.refine.lip import Lip, LipCalibrated
from bench.refine.random_basis import RandomBasis
from bench.refine.variants import LipBelief, LipCrossfit, LipKernel
from bench.registry import Registry

Make = Callable[..., Any]

REFITS_ITS_BIAS = {"lip-calibrated"}
"""Ranked refiners that may move the bias at full rank, as their docstring says."""


def ranked(registry: Registry) -> list[Refiner]:
    """Every shipped refiner with a rank, with its defaults."""
    infos = registry.all("refiner")
    return [registry.create("refiner", i.name, {}) for i in infos if i.declared["has_rank"]]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    q=st.integers(1, 9),
    n_classes=st.integers(2, 9),
    lost=st.integers(0, 3),
    dead=st.booleans(),
)
def test_full_rank_is_the_trained_head_for_every_refiner(
    registry: Registry,
    case: Make,
    head_at: Make,
    seed: int,
    q: int,
    n_classes: int,
    lost: int,
    dead: bool,
) -> None:
    made = case(seed, q=q, n_classes=n_classes)
    u, s, v = made.svd()
    s[max(len(s) - lost, 1) :] = 0  # a head of lower rank than its shape allows
    features = made.x.copy()
    features[:, 0] *= not dead
    trained = replace(made, weight=(u * s) @ v.T, x=features)
    problem = trained.problem(case(seed + 1, q=q, n_classes=n_classes).problem())
    found = ranked(registry)
    assert len(found) >= 8
    for refiner in found:
        path = refiner.path(problem)
        assert path.ks[-1] == min(q, n_classes), refiner.name
        np.testing.assert_allclose(
            head_at(path, -1), trained.weight, atol=1e-9, err_msg=refiner.name
        )
        if refiner.name not in REFITS_ITS_BIAS:
            np.testing.assert_array_equal(path.bias[-1].numpy(), trained.bias, refiner.name)


def least_squares(made: Any) -> Any:
    """The head that solves its own labels, without an intercept."""
    weight = np.linalg.lstsq(made.x, made.y, rcond=None)[0]
    return replace(made, weight=weight, bias=np.zeros(made.y.shape[1]))


def with_intercept(made: Any) -> Any:
    """The head that solves its own labels, with an intercept."""
    design = np.hstack([made.x, np.ones((len(made.x), 1))])
    solution = np.linalg.lstsq(design, made.y, rcond=None)[0]
    return replace(made, weight=solution[:-1], bias=solution[-1])


@pytest.mark.parametrize("refiner", [Lip, LipBelief, LipKernel, RandomBasis])
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_a_least_squares_head_stays_at_every_k(
    case: Make, head_at: Make, refiner: type[Refiner], seed: int
) -> None:
    trained = least_squares(case(seed))
    path = refiner().path(trained.problem())
    for position in range(len(path.ks)):
        np.testing.assert_allclose(head_at(path, position), trained.weight, atol=1e-9)
        np.testing.assert_allclose(path.bias[position].numpy(), 0, atol=1e-12)


@pytest.mark.parametrize("refiner", [LipKernel, LipCalibrated, Recentre])
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_a_least_squares_head_with_intercept_stays_at_every_k(
    case: Make, head_at: Make, refiner: type[Refiner], seed: int
) -> None:
    trained = with_intercept(case(seed))
    path = refiner().path(trained.problem())
    for position in range(len(path.ks)):
        np.testing.assert_allclose(head_at(path, position), trained.weight, atol=1e-8)
        np.testing.assert_allclose(path.bias[position].numpy(), trained.bias, atol=1e-8)


def test_plain_lip_moves_a_least_squares_head_that_has_an_intercept(
    case: Make, head_at: Make
) -> None:
    # The labels it re-fits to still hold the intercept, which the features then answer for.
    trained = with_intercept(case(0))
    path = Lip().path(trained.problem())
    assert np.abs(head_at(path, 0) - trained.weight).max() > 0.01


def test_crossfit_only_shrinks_a_least_squares_head_on_its_own_samples(case: Make) -> None:
    trained = least_squares(case(1))
    path = LipCrossfit().path(trained.problem(trained.problem()))
    _, s, _ = trained.svd()
    tail = path.scale[0].numpy()
    assert (tail < s).all()
    assert (tail > 0).all()
