"""Bradley-Terry strengths against choix, and at the edges."""

from __future__ import annotations

import math

import choix
import numpy as np
import pandas as pd
import pytest
from board_case import random_table, table
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats.bradley_terry import POINTS, strengths, win_probability
from bench.stats.pairs import win_matrix
from bench.stats.ranks import average_ranks

SEEDS = st.integers(0, 10_000)


def points(values: pd.DataFrame) -> pd.Series:
    return strengths(values, resamples=2).set_index("method")["strength"][values.columns]


def comparisons(values: pd.DataFrame) -> np.ndarray:
    """Wins of the row over the column, ties as half, with the imaginary block."""
    found = win_matrix(values)
    return np.asarray(found.wins + (found.ties + 1) / 2) * (1 - np.eye(len(found.wins)))


@settings(max_examples=25)
@given(SEEDS, st.integers(2, 6), st.integers(1, 15), st.sampled_from([4, 1000]))
def test_strengths_are_those_of_choix(seed: int, k: int, n: int, steps: int) -> None:
    values = random_table(seed, n, k, steps)
    expected = choix.ilsr_pairwise_dense(comparisons(values), tol=1e-13, max_iter=100_000)
    found = (points(values) - 1000) / POINTS
    assert found.tolist() == pytest.approx((expected - expected.mean()).tolist(), abs=1e-8)


@settings(max_examples=5)
@given(SEEDS)
def test_strengths_are_those_of_every_comparison_listed(seed: int) -> None:
    values = random_table(seed, 5, 3, 4)
    doubled = (2 * comparisons(values)).astype(int)
    games = [(i, j) for i in range(3) for j in range(3) for _ in range(doubled[i, j])]
    expected = choix.mm_pairwise(3, games, tol=1e-13, max_iter=1_000_000)
    found = (points(values) - 1000) / POINTS
    assert found.tolist() == pytest.approx((expected - expected.mean()).tolist(), abs=1e-8)


def test_two_methods_differ_by_their_odds() -> None:
    # Five wins of six, and half of the imaginary block: odds of 5.5 to 1.5.
    found = points(table([[0.9, 0.1]] * 5 + [[0.1, 0.9]]))
    assert found["m0"] - found["m1"] == pytest.approx(400 * math.log10(5.5 / 1.5), abs=1e-8)


def test_the_mean_strength_is_1000() -> None:
    assert points(random_table(2, 7, 5)).mean() == pytest.approx(1000, abs=1e-8)


def test_a_method_that_always_wins_stays_finite() -> None:
    found = points(table([np.arange(60) / 60] * 1000))
    assert np.isfinite(found).all()
    assert found.is_monotonic_increasing


def test_a_fit_far_from_its_start_reaches_the_maximum() -> None:
    values = table([np.arange(12) / 12] * 400)
    theta = (points(values).to_numpy() - 1000) / POINTS
    expected = 401 / (1 + np.exp(theta[None, :] - theta[:, None]))
    wins = comparisons(values).sum(axis=1)
    assert (expected.sum(axis=1) - 401 / 2).tolist() == pytest.approx(wins.tolist(), abs=1e-8)


def test_strengths_order_methods_as_average_ranks_do() -> None:
    values = random_table(4, 9, 6, 10)
    assert (-points(values)).rank().tolist() == average_ranks(values).round(9).rank().tolist()


def test_methods_that_tie_stay_in_the_order_of_the_table() -> None:
    rng = np.random.default_rng(3)
    one = rng.normal(size=(7, 9))
    table = pd.DataFrame(np.hstack([one, one[:, ::-1]]), columns=[f"m{i}" for i in range(18)])
    found = strengths(table, resamples=5)
    place = {int(str(name)[1:]): row for row, name in enumerate(found["method"])}
    assert all(place[method] < place[17 - method] for method in range(9))


def test_equal_methods_are_all_at_1000() -> None:
    found = strengths(table(np.ones((4, 3))))
    assert found[["strength", "low", "high"]].to_numpy().ravel().tolist() == pytest.approx(
        [1000] * 9
    )


def test_rows_are_the_strongest_first() -> None:
    assert strengths(table([[0.1, 0.5, 0.3]] * 3))["method"].tolist() == ["m1", "m2", "m0"]


def test_below_three_blocks_there_is_no_interval() -> None:
    found = strengths(random_table(0, 2, 3))
    assert found["strength"].notna().all()
    assert found["low"].isna().all()


def test_intervals_hold_what_a_loop_over_resamples_finds() -> None:
    values = random_table(5, 12, 4)
    found = strengths(values, resamples=300, seed=3).set_index("method")
    random = np.random.default_rng(9)
    resampled = [points(values.iloc[random.integers(0, 12, 12)]) for _ in range(300)]
    low, high = np.quantile(np.array(resampled), [0.025, 0.975], axis=0)
    assert found["low"][values.columns].tolist() == pytest.approx(low.tolist(), abs=25)
    assert found["high"][values.columns].tolist() == pytest.approx(high.tolist(), abs=25)


def test_intervals_are_the_same_each_time() -> None:
    values = random_table(5, 12, 4)
    pd.testing.assert_frame_equal(strengths(values), strengths(values))


@settings(max_examples=10)
@given(SEEDS, SEEDS)
def test_the_order_of_blocks_and_methods_changes_nothing(seed: int, order: int) -> None:
    values = random_table(seed, 8, 4)
    random = np.random.default_rng(order)
    turned = values.iloc[random.permutation(8), random.permutation(4)]
    found, again = (strengths(v, resamples=50).set_index("method") for v in (values, turned))
    pd.testing.assert_frame_equal(again.loc[values.columns], found.loc[values.columns], rtol=1e-9)


@pytest.mark.parametrize(
    ("shape", "expected"), [((0, 2), [math.nan] * 2), ((3, 0), []), ((3, 1), [1000])]
)
def test_tables_without_comparisons_are_no_error(
    shape: tuple[int, int], expected: list[float]
) -> None:
    found = strengths(table(np.ones(shape)))["strength"].tolist()
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(("difference", "p"), [(0, 0.5), (400, 10 / 11), (-400, 1 / 11)])
def test_400_points_are_odds_of_10_to_1(difference: float, p: float) -> None:
    assert win_probability(difference) == pytest.approx(p)
