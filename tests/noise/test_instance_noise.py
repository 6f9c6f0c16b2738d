"""Instance-dependent noise, against a plain loop over samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from training_sets import PlainTrainingSet, make_set

from bench.api import Incompatible
from datasets.noise.instance import SPREAD, Instance


def by_loop(noise: Instance, train: PlainTrainingSet, seed: int) -> np.ndarray:
    """P(given | sample), one sample at a time, from the same stream of random numbers."""
    rng = np.random.default_rng(seed)
    n, n_classes = len(train.labels), len(train.class_names)
    a, b = -noise.rate / SPREAD, (1 - noise.rate) / SPREAD
    rates = stats.truncnorm(a, b, noise.rate, SPREAD).ppf(rng.random(n))
    x = train.inputs.reshape(n, -1).astype(float)
    if noise.scaling == "standardised":
        deviation = x.std(axis=0)
        x = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    found = np.empty((n, n_classes))
    for label in range(n_classes):
        weight = rng.standard_normal((x.shape[1], n_classes))
        for row in np.flatnonzero(train.labels == label):
            scores = x[row] @ weight
            others = [c for c in range(n_classes) if c != label]
            odds = np.exp(scores[others] - scores[others].max())
            found[row, others] = rates[row] * odds / odds.sum()
            found[row, label] = 1 - rates[row]
    return found


@pytest.mark.parametrize("scaling", ["raw", "standardised"])
def test_probabilities_are_those_of_the_algorithm(scaling: str) -> None:
    train = make_set(200, 3, side=4)
    noise = Instance(rate=0.35, scaling=scaling)
    found = np.full((200, 3), np.nan)
    for rows, probabilities in noise.distributions(train, np.random.default_rng(4)):
        found[rows] = probabilities
    np.testing.assert_allclose(found, by_loop(noise, train, 4), atol=1e-9)


def test_flip_rates_are_a_truncated_normal() -> None:
    train = make_set(4000, 2, side=3)
    noise = Instance(rate=0.1)
    flips = np.concatenate(
        [1 - p[:, train.labels[rows[0]]] for rows, p in noise.distributions(train, _rng(9))]
    )
    low, high = -0.1 / SPREAD, 0.9 / SPREAD
    assert stats.kstest(flips, stats.truncnorm(low, high, 0.1, SPREAD).cdf).pvalue > 1e-4


def test_raw_pixels_make_the_wrong_class_a_function_of_the_image() -> None:
    train = make_set(500, 4, side=16)
    shares = {}
    for scaling in ("raw", "standardised"):
        noise = Instance(rate=0.4, scaling=scaling)
        top = []
        for rows, probabilities in noise.distributions(train, _rng(0)):
            wrong = np.delete(probabilities, train.labels[rows[0]], axis=1)
            top += list(wrong.max(axis=1) / wrong.sum(axis=1))
        shares[scaling] = float(np.mean(top))
    assert shares["raw"] > 0.99
    assert shares["raw"] > shares["standardised"]


def test_single_samples_follow_their_own_distribution() -> None:
    train = make_set(40, 3, side=2)
    noise = Instance(rate=0.4, scaling="standardised")
    rounds = 400
    hits = np.zeros((40, 3))
    expected = np.zeros((40, 3))
    for seed in range(rounds):
        hits[np.arange(40), noise.corrupt(train, _rng(seed))] += 1
        for rows, probabilities in noise.distributions(train, _rng(seed)):
            expected[rows] += probabilities
    statistic = ((hits - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(statistic, 40 * 2) > 1e-6


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.95, 1.0])
def test_a_rate_that_truncated_flip_rates_cannot_have_is_refused(rate: float) -> None:
    reached = stats.truncnorm(-rate / SPREAD, (1 - rate) / SPREAD, rate, SPREAD).mean()
    assert abs(reached - rate) > 0.05
    with pytest.raises(Incompatible, match=r"are 0.080 to 0.920 on average"):
        Instance(rate=rate).check(make_set(20, 2).info)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_rates_of_published_tables_are_accepted(rate: float) -> None:
    Instance(rate=rate).check(make_set(20, 2).info)


def test_feature_tables_have_parts_too() -> None:
    train = make_set(300, 3)
    train.inputs = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    labels = Instance(rate=0.4).corrupt(train, _rng(1))
    assert 0.25 < (labels != train.labels).mean() < 0.55


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)
