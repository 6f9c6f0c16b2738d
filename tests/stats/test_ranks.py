"""Ranks and their tests against scipy, scikit-posthocs and Demšar's worked example."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
import scipy.stats
from board_case import DEMSAR, board, random_board, random_table, table
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats.leaderboard import cells
from bench.stats.ranks import (
    average_ranks,
    block_table,
    cliques,
    critical_difference,
    friedman,
    letters,
    nemenyi,
)

SEEDS = st.integers(0, 10_000)
STEPS = st.sampled_from([5, 1000])
"""Five steps make many ties."""


def test_the_table_has_a_row_a_block_and_a_column_a_method() -> None:
    found = block_table(cells(random_board(0, methods=3, blocks=5)))
    assert found.index.names == ["dataset", "noise"]
    assert found.columns.tolist() == ["m0", "m1", "m2"]
    assert len(found) == 5


def test_the_table_leaves_out_methods_with_holes() -> None:
    found = block_table(cells(board(a=[[0.5], [0.6]], b=[[0.4], []])))
    assert found.to_numpy().tolist() == [[0.5], [0.6]]


def test_the_table_of_common_blocks_leaves_out_blocks_with_holes() -> None:
    found = block_table(cells(board(a=[[0.5], [0.6]], b=[[0.4], []])), holes="common")
    assert found.to_numpy().tolist() == [[0.5, 0.4]]


@given(SEEDS, st.integers(1, 6), st.integers(1, 8), STEPS)
def test_average_ranks_are_scipys(seed: int, k: int, n: int, steps: int) -> None:
    values = random_table(seed, n, k, steps)
    expected = scipy.stats.rankdata(-values.to_numpy(), axis=1).mean(axis=0)
    assert average_ranks(values).tolist() == pytest.approx(expected.tolist())


@given(SEEDS, st.integers(3, 8), st.integers(2, 20), STEPS)
def test_friedmans_chi_square_is_scipys(seed: int, k: int, n: int, steps: int) -> None:
    values = random_table(seed, n, k, steps)
    if (np.ptp(values.to_numpy(), axis=1) == 0).all():
        return
    expected = scipy.stats.friedmanchisquare(*values.to_numpy().T)
    found = friedman(values)
    assert (found.statistic, found.p) == pytest.approx(tuple(expected), abs=1e-8)


@given(SEEDS, st.integers(3, 6), st.integers(3, 12))
def test_the_f_form_is_an_analysis_of_variance_of_the_ranks(seed: int, k: int, n: int) -> None:
    """Iman and Davenport's F is the two-way analysis of variance of ranks."""
    ranks = scipy.stats.rankdata(random_table(seed, n, k).to_numpy(), axis=1)
    between = n * np.square(ranks.mean(axis=0) - (k + 1) / 2).sum()
    within = np.square(ranks - (k + 1) / 2).sum() - between
    if within > 1e-9:
        f = (between / (k - 1)) / (within / ((k - 1) * (n - 1)))
        found = friedman(table(ranks))
        assert found.f_statistic == pytest.approx(f, abs=1e-8)
        p = scipy.stats.f.sf(f, k - 1, (k - 1) * (n - 1))
        assert found.f_p == pytest.approx(p, abs=1e-8)


@pytest.mark.parametrize("shape", [(5, 2), (1, 4), (0, 4), (5, 0)])
def test_too_few_methods_or_blocks_have_no_friedman_test(shape: tuple[int, int]) -> None:
    found = friedman(table(np.ones(shape)))
    assert math.isnan(found.p)
    assert math.isnan(found.f_p)


def test_blocks_that_tie_all_methods_tell_nothing_apart() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = friedman(table(np.ones((4, 3))))
    assert (found.statistic, found.p, found.f_p) == (0, 1, 1)


def test_blocks_that_agree_throughout_have_an_infinite_f() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = friedman(table([[0.1, 0.2, 0.3]] * 4))
    assert (found.f_statistic, found.f_p) == (math.inf, 0)


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (3, 2.344), (5, 2.728), (10, 3.164)])
def test_critical_values_are_the_tabulated_ones(k: int, q: float) -> None:
    n = 20
    found = critical_difference(k, n) / math.sqrt(k * (k + 1) / (6 * n))
    assert found == pytest.approx(q, abs=5e-4)


def test_the_critical_difference_needs_two_methods_and_a_block() -> None:
    assert math.isnan(critical_difference(1, 5))
    assert math.isnan(critical_difference(3, 0))


def test_an_impossible_level_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha"):
        critical_difference(3, 5, 1.5)


def test_demsars_average_ranks() -> None:
    assert average_ranks(DEMSAR).round(3).tolist() == [3.143, 2.000, 2.893, 1.964]


def test_demsars_critical_difference() -> None:
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=5e-3)


def test_demsars_friedman_test_after_its_ties() -> None:
    """He has 9.28 without the correction for ties, which enlarges it by the share of ties."""
    ranks = scipy.stats.rankdata(-DEMSAR.to_numpy(), axis=1)
    plain = 12 * 14 / (4 * 5) * (np.square(ranks.mean(axis=0)).sum() - 4 * 5**2 / 4)
    assert plain == pytest.approx(9.28, abs=5e-3)
    share = np.square(ranks - 2.5).sum() / (14 * 5)
    assert friedman(DEMSAR).statistic == pytest.approx(plain / share)


@settings(max_examples=20)
@given(SEEDS, st.integers(3, 6), st.integers(2, 12), STEPS)
def test_nemenyis_p_is_that_of_scikit_posthocs(seed: int, k: int, n: int, steps: int) -> None:
    values = random_table(seed, n, k, steps)
    expected = scikit_posthocs.posthoc_nemenyi_friedman(values.reset_index(drop=True))
    assert nemenyi(values).to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-8)


@given(SEEDS, st.integers(3, 6), st.integers(4, 12))
@settings(max_examples=20)
def test_ranks_a_critical_difference_apart_have_p_below_alpha(seed: int, k: int, n: int) -> None:
    values = random_table(seed, n, k)
    ranks = average_ranks(values).to_numpy()
    apart = np.abs(ranks[:, None] - ranks) >= critical_difference(k, n)
    assert ((nemenyi(values).to_numpy() <= 0.05 + 1e-12) == apart).all()


def test_cliques_are_maximal_runs() -> None:
    ranks = pd.Series({"a": 1.0, "b": 1.8, "c": 2.5, "d": 4.0})
    assert cliques(ranks, 1.0) == [("a", "b"), ("b", "c")]


def test_a_run_inside_another_is_no_clique() -> None:
    ranks = pd.Series({"c": 1.6, "a": 1.0, "b": 1.3})
    assert cliques(ranks, 1.0) == [("a", "b", "c")]


def test_ranks_a_whole_critical_difference_apart_are_no_clique() -> None:
    assert cliques(pd.Series({"a": 1.0, "b": 2.0}), 1.0) == []


def test_without_a_critical_difference_there_is_no_clique() -> None:
    assert cliques(pd.Series({"a": 1.0, "b": 1.0}), math.nan) == []


@given(st.lists(st.integers(10, 60), min_size=1, max_size=8), st.integers(1, 30))
def test_two_methods_share_a_clique_where_their_ranks_are_close(
    tenths: list[int], difference: int
) -> None:
    ranks = pd.Series({f"m{i}": float(tenth) for i, tenth in enumerate(tenths)})
    found = cliques(ranks, float(difference))
    for one, other in itertools.combinations(ranks.index, 2):
        together = any(one in group and other in group for group in found)
        assert together == (abs(ranks[one] - ranks[other]) < difference)


def test_letters_begin_with_the_best() -> None:
    found = letters(["a1", "b1", "c1", "d1"], [("b1", "c1"), ("a1", "b1")])
    assert found == {"a1": "a", "b1": "ab", "c1": "b", "d1": "c"}


def test_a_method_alone_has_a_letter_of_its_own() -> None:
    assert letters(["x", "y", "z"], [("y", "z")]) == {"x": "a", "y": "b", "z": "b"}


def test_letters_go_on_after_z() -> None:
    found = letters([f"m{i}" for i in range(28)], [])
    assert [found["m25"], found["m26"], found["m27"]] == ["z", "a1", "b1"]


@settings(max_examples=25)
@given(SEEDS, SEEDS)
def test_the_order_of_blocks_and_methods_changes_no_test(seed: int, order: int) -> None:
    values = random_table(seed, 9, 5, 20)
    random = np.random.default_rng(order)
    turned = values.iloc[random.permutation(9), random.permutation(5)]
    assert friedman(turned).f_p == pytest.approx(friedman(values).f_p)
    assert nemenyi(turned).loc["m0", "m3"] == pytest.approx(nemenyi(values).loc["m0", "m3"])
