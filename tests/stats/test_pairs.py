"""Pairs of methods against scipy, scikit-posthocs and statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
import scipy.stats
from board_case import random_table, table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy_wilcoxon import signed_rank_p
from statsmodels.stats.multitest import multipletests

from bench.stats.holm import holm
from bench.stats.pairs import wilcoxon_pairs, win_matrix
from bench.stats.ranks import average_ranks
from bench.stats.signed_rank import rank_biserial, wilcoxon

SEEDS = st.integers(0, 10_000)
STEPS = st.sampled_from([8, 64, 2**20])
"""Powers of two, so that differences are exact: few steps make many ties and zeros."""


def square(pairs: pd.DataFrame, names: list[str], column: str) -> np.ndarray:
    found = pd.DataFrame(1.0, index=names, columns=names)
    for row in pairs.to_dict("records"):
        found.loc[row["method"], row["other"]] = row[column]
        found.loc[row["other"], row["method"]] = row[column]
    return found.to_numpy()


@settings(max_examples=20)
@given(SEEDS, st.sampled_from([6, 9, 13, 14, 30, 50, 51]), STEPS)
def test_every_p_is_scipys(seed: int, n: int, steps: int) -> None:
    values = random_table(seed, n, 4, steps)
    for row in wilcoxon_pairs(values).to_dict("records"):
        difference = values[row["method"]] - values[row["other"]]
        assert row["p"] == pytest.approx(signed_rank_p(difference), abs=1e-8)


@pytest.mark.parametrize(
    "values", [[3, -1, 0, 2, 2, -2, 5, 0], [1.5, -0.5, 2.5, 3.5, 4.5], [1.0, 1.0, -2.0] * 5]
)
def test_the_reference_is_scipys_wilcoxon(values: list[float]) -> None:
    expected = scipy.stats.wilcoxon(values, zero_method="zsplit").pvalue
    assert signed_rank_p(pd.Series(values)) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=6)
@given(SEEDS, st.sampled_from([6, 9, 14, 30, 70]), STEPS)
def test_corrected_p_are_those_of_scikit_posthocs(seed: int, n: int, steps: int) -> None:
    values = random_table(seed, n, 5, steps)
    expected = scikit_posthocs.posthoc_wilcoxon(
        values.to_numpy().T, zero_method="zsplit", p_adjust="holm"
    )
    found = square(wilcoxon_pairs(values), list(values.columns), "p_holm")
    assert found == pytest.approx(expected.to_numpy(), abs=1e-8)


@settings(max_examples=12)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    expected = multipletests(p, method="holm")[1]
    assert holm(np.array(p)).tolist() == pytest.approx(expected.tolist(), abs=1e-8)


def test_holm_counts_every_pair() -> None:
    found = wilcoxon_pairs(random_table(0, 20, 4))
    expected = multipletests(found["p"], method="holm")[1]
    assert found["p_holm"].tolist() == pytest.approx(expected.tolist(), abs=1e-8)


def test_below_six_blocks_there_is_no_test() -> None:
    found = wilcoxon_pairs(random_table(0, 5, 3))
    assert found["p"].isna().all()
    assert found["p_holm"].isna().all()


def test_every_pair_is_there_once_in_rank_order() -> None:
    values = table([[0.1, 0.9, 0.5]] * 6)
    found = wilcoxon_pairs(values)
    pairs = list(zip(found["method"], found["other"], strict=True))
    assert pairs == [("m1", "m2"), ("m1", "m0"), ("m2", "m0")]


def test_wins_and_the_difference_are_of_the_first() -> None:
    (row,) = wilcoxon_pairs(table([[0.5, 0.4], [0.5, 0.5], [0.7, 0.3]])).to_dict("records")
    assert (row["wins"], row["ties"], row["losses"]) == (2, 1, 0)
    assert row["difference"] == pytest.approx(0.5 / 3)


@pytest.mark.parametrize("shape", [(0, 3), (4, 1), (4, 0)])
def test_tables_without_pairs_or_blocks_are_no_error(shape: tuple[int, int]) -> None:
    found = wilcoxon_pairs(table(np.ones(shape)))
    assert len(found) == (3 if shape[1] == 3 else 0)
    assert found["p"].isna().all()


def test_methods_that_are_equal_throughout_have_p_1() -> None:
    assert wilcoxon_pairs(table(np.ones((8, 2))))["p"].tolist() == [1]


def test_what_rounding_leaves_is_a_tie() -> None:
    found = win_matrix(table([[0.1 + 0.2, 0.3], [0.5, 0.5 + 5e-8]]))
    assert found.ties.to_numpy().tolist() == [[0, 2], [2, 0]]


def test_sizes_that_differ_in_their_last_bits_share_a_rank() -> None:
    noisy = np.array([0.1, 0.3 - 0.2, -0.2, 0.25, 0.3, 0.35, 0.45])[:, None]
    clean = np.array([0.1, 0.1, -0.2, 0.25, 0.3, 0.35, 0.45])[:, None]
    assert noisy[0] != noisy[1]
    assert wilcoxon(noisy)[0] == wilcoxon(clean)[0]


@given(SEEDS, st.integers(1, 8), st.integers(2, 5))
def test_the_win_matrix_counts_blocks(seed: int, n: int, k: int) -> None:
    values = random_table(seed, n, k, 4)
    found = win_matrix(values)
    v = values.to_numpy()
    assert found.wins.to_numpy().tolist() == (v[:, :, None] > v[:, None, :]).sum(axis=0).tolist()
    everything = found.wins + found.ties + found.losses
    assert everything.to_numpy().tolist() == (n * (1 - np.eye(k, dtype=int))).tolist()


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=15))
def test_the_rank_biserial_is_that_of_all_pairs_of_differences(values: list[int]) -> None:
    """Pratt's ranks are counts: over all pairs i <= j, the sign of the larger of the two."""
    d = np.array(values, dtype=float)
    signs = [
        np.sign(d[i] + d[j]) if abs(d[i]) == abs(d[j]) else np.sign(max(d[i], d[j], key=abs))
        for i in range(len(d))
        for j in range(i, len(d))
    ]
    assert rank_biserial(d[:, None])[0] == pytest.approx(np.mean(signs), abs=1e-8)


def test_gains_throughout_have_an_effect_of_1() -> None:
    assert rank_biserial(np.array([[0.1], [0.2], [0.05]]))[0] == 1


@settings(max_examples=15)
@given(SEEDS, SEEDS)
def test_the_order_of_blocks_and_methods_changes_nothing(seed: int, order: int) -> None:
    values = random_table(seed, 12, 4, 50)
    random = np.random.default_rng(order)
    turned = values.iloc[random.permutation(12), random.permutation(4)]
    names = list(values.columns)
    found, again = wilcoxon_pairs(values), wilcoxon_pairs(turned)
    assert square(again, names, "p") == pytest.approx(square(found, names, "p"))


def test_pairs_follow_the_average_ranks() -> None:
    values = random_table(1, 20, 6)
    ranks = average_ranks(values)
    found = wilcoxon_pairs(values)
    assert all(ranks[a] <= ranks[b] for a, b in zip(found["method"], found["other"], strict=True))
