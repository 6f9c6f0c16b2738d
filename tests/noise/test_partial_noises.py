"""Candidate sets: who joins them, how often, and when the truth is missing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from training_sets import PlainTrainingSet, make_set

from bench.api import Noise
from bench.data.noise import NoiseArtefact, draw
from bench.errors import Incompatible
from bench.registry import Registry, discover
from datasets.cifar100 import Cifar100

N, C = 4000, 5


def posterior(train: PlainTrainingSet) -> Any:
    """The true class is likely, and the next one likelier than the rest."""
    rows = np.arange(len(train.labels))
    scores = np.full((len(rows), train.info.n_classes), 0.05)
    scores[rows, (train.labels + 1) % train.info.n_classes] = 0.2
    scores[rows, train.labels] = 1
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def train() -> PlainTrainingSet:
    """4,000 samples of five classes, with a posterior."""
    plain = make_set(N, C)
    plain.posteriors = posterior(plain)
    return plain


def sets_of(registry: Registry, train: PlainTrainingSet, name: str, **params: Any) -> NoiseArtefact:
    noise: Noise = registry.create("noise", name, params)
    return draw(noise, train, 3)


def joins(artefact: NoiseArtefact, train: PlainTrainingSet) -> Any:
    """Share of samples of true class i whose set holds k, ``(C, C)``."""
    assert artefact.candidates is not None
    return np.stack([artefact.candidates[train.labels == i].mean(axis=0) for i in range(C)])


@settings(max_examples=15)
@given(q=st.floats(0, 1), fill=st.booleans(), seed=st.integers(0, 2**31))
def test_uniform_sets_hold_the_truth_and_each_wrong_label_with_probability_q(
    q: float, fill: bool, seed: int
) -> None:
    train = make_set(1500, C)
    params = {"q": q, "singletons": "fill" if fill else "keep"}
    found = draw(discover().create("noise", "partial-uniform", params), train, seed).candidates
    assert found is not None
    assert found[np.arange(1500), train.labels].all()
    wrong = int(found.sum()) - 1500
    if fill:
        assert (found.sum(axis=1) >= 2).all()
    else:
        assert stats.binomtest(wrong, 1500 * (C - 1), q).pvalue > 1e-9


def test_next_class_joins_and_no_other(registry: Registry, train: PlainTrainingSet) -> None:
    share = joins(sets_of(registry, train, "partial-class", q=0.4), train)
    expected = np.eye(C) + 0.4 * np.roll(np.eye(C), 1, axis=1)
    np.testing.assert_allclose(share, expected, atol=0.09)
    assert ((share > 0) == (expected > 0)).all()


def test_a_matrix_says_who_joins(registry: Registry, train: PlainTrainingSet) -> None:
    chance = np.linspace(0, 0.9, C * C).reshape(C, C)
    params = {"among": "matrix", "matrix": chance.tolist()}
    share = joins(sets_of(registry, train, "partial-class", **params), train)
    np.fill_diagonal(chance, 1)
    np.testing.assert_allclose(share, chance, atol=0.09)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"among": "superclass"}, "super-classes are known of cifar100, not of toy"),
        ({"among": "matrix"}, "needs a matrix of 5 x 5 probabilities"),
        ({"among": "matrix", "matrix": [[2.0] * C] * C}, r"matrix\[0\]\[0\] is 2"),
    ],
)
def test_a_matrix_that_does_not_fit_is_incompatible(
    params: dict[str, Any], words: str, registry: Registry, train: PlainTrainingSet
) -> None:
    with pytest.raises(Incompatible, match=words):
        sets_of(registry, train, "partial-class", **params)


def test_only_labels_of_the_super_class_join(registry: Registry) -> None:
    train = make_set(2000, C)
    train = dataclasses.replace(
        train, labels=np.arange(2000) % 100, class_names=Cifar100.class_names
    )
    found = sets_of(registry, train, "partial-class", among="superclass", q=1.0).candidates
    assert found is not None
    assert (found.sum(axis=1) == 5).all()


def test_the_likelier_wrong_label_joins_more_often(
    registry: Registry, train: PlainTrainingSet
) -> None:
    share = joins(sets_of(registry, train, "partial-instance", q=0.2), train)
    relative = np.array([0.2, 0.05, 0.05, 0.05]) / 0.2
    expected = np.minimum(1, 0.2 * relative / relative.mean())
    for i in range(C):
        found = [share[i, (i + step) % C] for step in (1, 2, 3, 4)]
        np.testing.assert_allclose(found, expected, atol=0.06)
        assert share[i, i] == 1


@pytest.mark.parametrize("q", [0.0, 0.3])
def test_the_truth_leaves_with_probability_eta_and_no_set_is_empty(
    q: float, registry: Registry, train: PlainTrainingSet
) -> None:
    found = sets_of(registry, train, "partial-noisy", q=q, eta=0.25)
    assert found.candidates is not None
    assert found.candidates.any(axis=1).all()
    assert stats.binomtest(round((found.rate or 0) * N), N, 0.25).pvalue > 1e-6


def test_labels_are_replaced_by_sets(registry: Registry, train: PlainTrainingSet) -> None:
    found = sets_of(registry, train, "partial-uniform", q=0.3)
    assert (found.labels == -1).all()
    assert found.rate == 0
    assert found.mean_set_size == pytest.approx(1 + 0.3 * (C - 1), abs=0.1)
