"""Margin noise: where the classes are close, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from training_sets import PlainTrainingSet, make_set

from bench.errors import Incompatible
from datasets.noise.margin import Margin, top_two


def with_margins(n: int = 6000, wrong: float = 0.0) -> PlainTrainingSet:
    """The true class leads by a margin evenly spread over 0..1; some networks err."""
    train = make_set(n, 3)
    rng = np.random.default_rng(0)
    margin = rng.uniform(0, 1, n)
    first = np.where(rng.random(n) < wrong, (train.labels + 1) % 3, train.labels)
    second, third = (first + 1) % 3, (first + 2) % 3
    posterior = np.empty((n, 3))
    rows = np.arange(n)
    posterior[rows, third] = 0.0
    posterior[rows, second] = (1 - margin) / 2
    posterior[rows, first] = (1 + margin) / 2
    train.posteriors = posterior
    return train


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_the_share_that_stays_is_the_polynomial_of_the_margin(kind: int) -> None:
    train = with_margins()
    noise = Margin(rate=0.4, kind=kind)
    first, second, margin = top_two(train.posteriors)
    keep = noise.keep(first, second, margin, train)
    grade = {
        1: 0.5 + margin**2 / 2,
        2: margin**3,
        3: (margin**3 + margin**2 + margin) / 3,
    }[kind]
    inside = keep < 1
    ratio = grade[inside] / keep[inside]
    np.testing.assert_allclose(ratio, ratio[0])
    assert (1 - keep).mean() == pytest.approx(0.4, abs=1e-6)


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_close_classes_are_confused_more(kind: int) -> None:
    train = with_margins()
    labels = Margin(rate=0.4, kind=kind).corrupt(train, np.random.default_rng(1))
    margin = top_two(train.posteriors)[2]
    wrong = labels != train.labels
    shares = [wrong[(margin >= m) & (margin < m + 0.25)].mean() for m in (0, 0.25, 0.5, 0.75)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[3] + 0.2


def test_labels_are_one_of_the_two_likeliest_classes() -> None:
    train = with_margins()
    first, second, _ = top_two(train.posteriors)
    labels = Margin(rate=0.4).corrupt(train, np.random.default_rng(1))
    assert ((labels == first) | (labels == second)).all()


def test_the_networks_own_errors_count_in_the_rate() -> None:
    train = with_margins(wrong=0.1)
    labels = Margin(rate=0.3).corrupt(train, np.random.default_rng(2))
    assert (labels != train.labels).mean() == pytest.approx(0.3, abs=0.03)


def test_a_rate_below_the_networks_own_errors_is_refused_with_what_can_be_reached() -> None:
    train = with_margins(wrong=0.1)
    with pytest.raises(Incompatible, match=r"wrong at rates from 0\.\d+ .* to 1\.000"):
        Margin(rate=0.05).corrupt(train, np.random.default_rng(0))


def test_a_rate_above_that_of_the_second_classes_is_refused() -> None:
    train = with_margins()
    second = top_two(train.posteriors)[1]
    half = np.where(np.arange(len(second)) % 2, second, (second + 1) % 3)
    train.labels = half
    with pytest.raises(Incompatible, match=r"to 0\.\d+ .* not at 1"):
        Margin(rate=1.0, kind=2).corrupt(train, np.random.default_rng(0))
