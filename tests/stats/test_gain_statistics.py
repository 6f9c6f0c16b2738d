"""Gains by cell, by refiner and by method, against brute force and other people's code."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from board_case import board, random_board, shuffled
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from bench.stats.gains import association, by_cell, by_method, overall, paired
from bench.stats.intervals import bootstrap, bootstraps
from bench.stats.seed_bootstrap import seed_bootstrap

SEEDS = st.integers(0, 10_000)
REFINERS = ("off", "lip", "psp")


def gained(gains: list[list[float]], method: str = "ce") -> pd.DataFrame:
    """One list a cell, one gain a seed, over an ``off`` of 0.5."""
    off = board(**{method: [[0.5] * len(seeds) for seeds in gains]})
    on = board(**{method: [[0.5 + gain for gain in seeds] for seeds in gains]})
    return pd.concat([off, on.assign(refiner="lip")], ignore_index=True)


@pytest.mark.parametrize("n", [3, 4, 5])
@given(seed=SEEDS)
@settings(max_examples=15)
def test_few_seeds_have_the_exact_bootstrap_of_all_resamples(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-9, 9, (2, n)) / 100
    low, high = seed_bootstrap(values)
    for cell in range(2):
        means = np.array([np.mean(drawn) for drawn in product(values[cell], repeat=n)])
        expected = [np.quantile(s * means, 0.025, method="inverted_cdf") for s in (1, -1)]
        assert (low[cell], -high[cell]) == pytest.approx(tuple(expected), abs=1e-8)


def test_six_seeds_have_the_exact_bootstrap_too() -> None:
    values = np.random.default_rng(0).normal(size=6)
    means = values[np.indices((6,) * 6).reshape(6, -1)].mean(axis=0)
    low, high = seed_bootstrap(values[None])
    expected = [np.quantile(s * means, 0.025, method="inverted_cdf") for s in (1, -1)]
    assert (low[0], -high[0]) == pytest.approx(tuple(expected), abs=1e-8)


def test_many_seeds_have_a_drawn_bootstrap_near_scipys() -> None:
    values = np.random.default_rng(0).normal(size=(1, 12))
    low, high = seed_bootstrap(values)
    reference = scipy.stats.bootstrap(
        (values[0],), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert (low[0], high[0]) == pytest.approx((reference.low, reference.high), abs=0.06)


def test_three_seeds_have_their_range_for_an_interval() -> None:
    found = by_cell(gained([[0.1, -0.2, 0.05]])).iloc[0]
    assert (found["low"], found["high"]) == pytest.approx((-0.2, 0.1))


def test_the_range_of_three_values_holds_the_centre_three_times_in_four() -> None:
    values = np.random.default_rng(0).normal(size=(40_000, 3))
    low, high = seed_bootstrap(values)
    assert ((low < 0) & (high > 0)).mean() == pytest.approx(0.75, abs=0.01)


def test_two_seeds_have_students_interval_only() -> None:
    found = by_cell(gained([[0.1, -0.2]])).iloc[0]
    assert math.isnan(found["low"])
    assert found["t_low"] < -0.2


def test_students_interval_is_scipys() -> None:
    gains = [0.1, -0.2, 0.05, 0.3]
    found = by_cell(gained([gains])).iloc[0]
    expected = scipy.stats.t.interval(0.95, 3, np.mean(gains), scipy.stats.sem(gains))
    assert (found["t_low"], found["t_high"]) == pytest.approx(expected, abs=1e-8)


@settings(max_examples=15)
@given(SEEDS, SEEDS, st.sampled_from([3, 7]))
def test_the_order_of_rows_and_seeds_changes_no_cell(seed: int, order: int, seeds: int) -> None:
    frame = random_board(seed, seeds=seeds, refiners=REFINERS)
    turned = shuffled(frame, order).assign(seed=lambda f: seeds - f["seed"])
    key = ["dataset", "noise", "method", "refiner"]
    found, again = (by_cell(f).set_index(key).sort_index() for f in (frame, turned))
    pd.testing.assert_frame_equal(again, found, atol=1e-12)


@settings(max_examples=15)
@given(SEEDS)
def test_pairs_are_those_of_a_merge(seed: int) -> None:
    frame = random_board(seed, refiners=REFINERS).sample(frac=0.8, random_state=seed)
    key = ["dataset", "noise", "method", "seed"]
    off = frame[frame["refiner"] == "off"]
    on = frame[frame["refiner"] != "off"]
    merged = on.merge(off, on=key, suffixes=("", "_off"))
    expected = merged["test_accuracy"] - merged["test_accuracy_off"]
    assert paired(frame)["gain"].tolist() == expected.tolist()


def test_a_loss_that_is_as_large_as_all_gains_halves_the_effect() -> None:
    # Ranks 1, 2 and 3: (1 + 2 - 3) of 6, and (3 + 2 - 1) of 6.
    assert overall(gained([[0.1], [0.2], [-0.3]]))["effect"][0] == pytest.approx(0)
    assert overall(gained([[-0.1], [0.2], [0.3]]))["effect"][0] == pytest.approx(4 / 6)


def test_improvement_is_the_share_of_seeds_averaged_over_cells() -> None:
    found = overall(gained([[0.1, -0.2], [0.1, 0.0, 0.2, 0.3]])).iloc[0]
    assert found["improvement"] == pytest.approx((1 / 2 + 3.5 / 4) / 2)


def test_improvement_has_the_bootstrap_over_cells() -> None:
    shares = [1.0, 0.5, 0.0, 0.5, 1.0]
    gains = [[0.1, 0.2] if s == 1 else [0.1, -0.1] if s == 0.5 else [-0.1, -0.2] for s in shares]
    found = overall(gained(gains)).iloc[0]
    expected = bootstrap(shares)
    assert found["improvement_low"] == pytest.approx(expected.low)
    assert found["improvement_high"] == pytest.approx(expected.high)


def test_a_method_alone_has_the_figures_of_its_board() -> None:
    frame = random_board(2, methods=3, blocks=8, refiners=REFINERS)
    alone = overall(frame[frame["method"] == "m1"]).set_index("refiner")
    found = by_method(frame).set_index(["method", "refiner"]).loc["m1"]
    columns = ["gain", "low", "high", "wins", "ties", "losses", "worst", "effect", "improvement"]
    pd.testing.assert_frame_equal(found[columns], alone[columns])


def test_holm_goes_over_the_methods_of_one_refiner() -> None:
    found = by_method(random_board(2, methods=4, blocks=8, refiners=REFINERS))
    for _, rows in found.groupby("refiner"):
        expected = multipletests(rows["p"], method="holm")[1]
        assert rows["p_holm"].tolist() == pytest.approx(expected.tolist(), abs=1e-8)


def test_every_p_of_a_method_is_scipys() -> None:
    frame = random_board(2, methods=3, blocks=20, refiners=REFINERS)
    gains = by_cell(frame).groupby(["refiner", "method"])["gain"].agg(list)
    for row in by_method(frame).to_dict("records"):
        cells = np.round(gains[row["refiner"], row["method"]], 9)
        expected = scipy.stats.wilcoxon(cells, zero_method="zsplit").pvalue
        assert row["p"] == pytest.approx(expected, abs=1e-8)


def test_methods_with_few_cells_have_no_test_and_no_interval() -> None:
    found = by_method(gained([[0.1, 0.2], [0.3, 0.1]])).iloc[0]
    assert math.isnan(found["p"])
    assert math.isnan(found["p_holm"])
    assert math.isnan(found["low"])


def test_off_is_averaged_over_the_methods_cells() -> None:
    frame = pd.concat([gained([[0.1], [0.2]]), gained([[0.1]], "elr")])
    frame.loc[(frame["refiner"] == "off") & (frame["noise"] == "noise 1"), "test_accuracy"] = 0.3
    assert by_method(frame)["off"].tolist() == pytest.approx([0.4, 0.5])


def test_refiners_stay_together_where_a_method_lacks_one() -> None:
    frame = random_board(0, methods=2, blocks=2, refiners=REFINERS)
    lost = (frame["method"] == "m0") & (frame["refiner"] == "psp")
    found = by_method(frame[~lost])
    pairs = list(zip(found["refiner"], found["method"], strict=True))
    assert pairs == [("lip", "m0"), ("lip", "m1"), ("psp", "m1")]


def test_no_gains_are_empty_tables_with_all_columns() -> None:
    for summary in (by_cell, overall, by_method):
        found = summary(board(ce=[[0.5]]))
        assert found.empty
        assert "gain" in found


def test_many_cells_are_resampled_in_parts_as_if_at_once() -> None:
    values = np.random.default_rng(0).normal(size=(2, 300))
    found = bootstraps(values)
    chosen = np.random.default_rng(0).integers(0, 300, (10_000, 300))
    expected = np.quantile(values[:, chosen].mean(axis=2), [0.025, 0.975], axis=1)
    assert found.low.tolist() == pytest.approx(expected[0].tolist(), abs=1e-12)
    assert found.high.tolist() == pytest.approx(expected[1].tolist(), abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=6, max_size=25))
@settings(max_examples=30)
def test_the_correlation_is_scipys(rows: list[tuple[int, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["rate", "gain"]).astype(float)
    found = association(frame, "rate")
    if frame["rate"].nunique() == 1 or frame["gain"].nunique() == 1:
        assert math.isnan(found.rho)
    else:
        expected = scipy.stats.spearmanr(frame["rate"], frame["gain"])
        assert found.rho == pytest.approx(expected.statistic, abs=1e-8)
        assert found.p == pytest.approx(expected.pvalue, abs=1e-8)


def test_the_interval_of_the_correlation_is_near_scipys() -> None:
    random = np.random.default_rng(0)
    rate = random.integers(0, 5, 40) / 5
    frame = pd.DataFrame({"rate": rate, "gain": rate + random.normal(0, 0.3, 40)})
    reference = scipy.stats.bootstrap(
        (frame["rate"], frame["gain"]),
        lambda a, b: scipy.stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=1,
    ).confidence_interval
    found = association(frame, "rate")
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=0.03)


def test_the_order_of_rows_changes_no_correlation() -> None:
    frame = pd.DataFrame({"rate": [1, 2, 3, 3, 5, 6.0, 7], "gain": [2, 1, 4, 4, 3, 7.0, 5]})
    assert association(frame.iloc[::-1], "rate") == association(frame, "rate")


def test_five_rows_have_a_correlation_without_an_interval() -> None:
    found = association(pd.DataFrame({"rate": range(5), "gain": range(5)}), "rate")
    assert found.rho == pytest.approx(1)
    assert math.isnan(found.low)
    assert math.isnan(found.p)


def test_rows_that_lack_a_number_are_left_out() -> None:
    frame = pd.DataFrame({"rate": [1, 2, np.nan, 4], "gain": [1, 2, 3, np.nan]})
    assert association(frame, "rate").n == 2


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="lacks the columns \\['rate'\\]"):
        association(pd.DataFrame({"gain": [1.0]}), "rate")
