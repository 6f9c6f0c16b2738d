"""Statistics against independent oracles, and what they refuse."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats.gains import by_cell, overall, paired
from bench.stats.holm import holm
from bench.stats.intervals import bootstrap, student
from bench.stats.leaderboard import cells, leaderboard, missing_cells

VALUES = st.lists(st.floats(0, 1), min_size=2, max_size=12)


def table(**methods: list[list[float]]) -> pd.DataFrame:
    """``table(ce=[[seed 0, seed 1], …])``: one list a noise, one number a seed, refiner off."""
    rows = [
        ("digits", f"noise {n}", method, seed, "off", value)
        for method, noises in methods.items()
        for n, seeds in enumerate(noises)
        for seed, value in enumerate(seeds)
    ]
    return pd.DataFrame(
        rows, columns=["dataset", "noise", "method", "seed", "refiner", "test_accuracy"]
    )


def with_refiner(frame: pd.DataFrame, name: str, change: list[float]) -> pd.DataFrame:
    on = frame.copy()
    on["refiner"] = name
    on["test_accuracy"] = on["test_accuracy"] + np.resize(change, len(on))
    return pd.concat([frame, on], ignore_index=True)


@given(VALUES)
def test_seed_intervals_agree_with_scipy(values: list[float]) -> None:
    found = student(values)
    spread = float(np.std(values, ddof=1))
    if spread > 1e-12:
        low, high = scipy.stats.t.interval(
            0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values)
        )
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-8)


def test_one_seed_has_a_mean_and_no_interval() -> None:
    found = student([0.7])
    assert found.mean == 0.7
    assert math.isnan(found.low)


def test_the_bootstrap_agrees_with_scipys_within_its_noise() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, 40)
    found = bootstrap(values.tolist())
    reference = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=2e-3)


def test_the_bootstrap_is_the_same_each_time() -> None:
    assert bootstrap([0.1, 0.5, 0.7, 0.2]) == bootstrap([0.1, 0.5, 0.7, 0.2])


def test_two_cells_have_no_interval() -> None:
    assert math.isnan(bootstrap([0.1, 0.5]).low)


def test_seeds_are_averaged_inside_a_cell() -> None:
    frame = cells(table(ce=[[0.2, 0.4], [0.9, 0.7]]))
    assert frame["mean"].tolist() == pytest.approx([0.3, 0.8])
    assert frame["seeds"].tolist() == [2, 2]


def test_ranks_are_averaged_over_cells_and_ties_share() -> None:
    board = leaderboard(
        table(a=[[0.9], [0.8], [0.5]], b=[[0.9], [0.7], [0.6]], c=[[0.1], [0.2], [0.3]])
    )
    expected = np.mean([[1.5, 1, 2], [1.5, 2, 1], [3, 3, 3]], axis=1)
    found = dict(zip(board["method"], board["rank"], strict=True))
    assert [found[m] for m in "abc"] == pytest.approx(expected.tolist())


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 6))
def test_ranks_agree_with_scipy(seed: int, n_methods: int, n_cells: int) -> None:
    values = np.random.default_rng(seed).integers(0, 5, (n_methods, n_cells)) / 5
    board = leaderboard(table(**{f"m{i}": [[v] for v in row] for i, row in enumerate(values)}))
    expected = scipy.stats.rankdata(-values, axis=0).mean(axis=1)
    found = dict(zip(board["method"], board["rank"], strict=True))
    assert [found[f"m{i}"] for i in range(n_methods)] == pytest.approx(expected.tolist())


def test_a_missing_cell_never_raises_a_mean() -> None:
    board = leaderboard(table(strong=[[0.8], [0.8]], lucky=[[0.9]]))
    lucky = board[board["method"] == "lucky"].iloc[0]
    assert math.isnan(lucky["rank"])
    assert math.isnan(lucky["mean"])
    assert board["method"].tolist() == ["strong", "lucky"]


def test_missing_cells_are_named() -> None:
    holes = missing_cells(table(strong=[[0.8], [0.8]], lucky=[[0.9]]))
    assert holes.to_dict("records") == [
        {"dataset": "digits", "noise": "noise 1", "method": "lucky"}
    ]


def test_gains_are_paired_by_seed() -> None:
    frame = with_refiner(table(ce=[[0.2, 0.6]]), "lip", [0.1, -0.2])
    shuffled = frame.sample(frac=1, random_state=3)
    assert sorted(paired(shuffled)["gain"]) == pytest.approx([-0.2, 0.1])
    assert by_cell(shuffled)["gain"].tolist() == pytest.approx([-0.05])


def test_a_training_without_off_has_no_gain() -> None:
    frame = with_refiner(table(ce=[[0.2, 0.6]]), "lip", [0.1])
    frame = frame[~((frame["refiner"] == "off") & (frame["seed"] == 1))]
    assert paired(frame)["seed"].tolist() == [0]


def test_wins_ties_and_losses_are_cells() -> None:
    frame = with_refiner(table(ce=[[0.5], [0.5], [0.5], [0.5]]), "lip", [0.1, 0.0, -0.3, -0.1])
    row = overall(frame).iloc[0]
    assert (row["wins"], row["ties"], row["losses"]) == (1, 1, 2)
    assert row["worst"] == pytest.approx(-0.3)


def test_seeds_that_cancel_are_a_tie_and_no_loss() -> None:
    frame = with_refiner(table(ce=[[0.1, 0.7, 0.3]]), "lip", [0.1, 0.2, -0.3])
    assert by_cell(frame)["gain"].iloc[0] != 0
    row = overall(frame).iloc[0]
    assert (row["wins"], row["ties"], row["losses"]) == (0, 1, 0)


def test_the_test_over_cells_is_scipys_wilcoxon() -> None:
    change = [0.1, 0.02, -0.03, 0.05, 0.04, 0.0, 0.01]
    frame = with_refiner(table(ce=[[0.5]] * 7), "lip", change)
    gains = paired(frame)["gain"].to_numpy()
    expected = scipy.stats.wilcoxon(gains, zero_method="zsplit").pvalue
    assert overall(frame)["p"].tolist() == pytest.approx([expected], abs=1e-8)


def test_no_test_is_made_on_too_few_cells() -> None:
    frame = with_refiner(table(ce=[[0.5]] * 5), "lip", [0.1])
    assert math.isnan(overall(frame)["p"].iloc[0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_controls_every_subset_of_true_hypotheses(p: list[float]) -> None:
    """Holm's adjusted p by its closed-testing definition: the largest Bonferroni of any subset."""
    expected = []
    for i in range(len(p)):
        subsets = itertools.chain.from_iterable(
            itertools.combinations(range(len(p)), size) for size in range(1, len(p) + 1)
        )
        expected.append(max(min(1.0, len(s) * min(p[j] for j in s)) for s in subsets if i in s))
    assert holm(np.array(p)).tolist() == pytest.approx(expected)


def test_holm_leaves_what_was_not_tested_alone() -> None:
    found = holm(np.array([0.01, np.nan, 0.04]))
    assert found[0] == pytest.approx(0.02)
    assert math.isnan(found[1])


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: f.drop(columns="seed"), "lack the columns"),
        (lambda f: f.assign(test_accuracy=97.0), "shares in 0..1"),
        (lambda f: pd.concat([f, f]), "two results for one run"),
    ],
)
def test_a_frame_that_is_not_tidy_is_refused(break_it: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cells(break_it(table(ce=[[0.5]])))  # type: ignore[operator]


def test_a_failed_evaluation_is_no_zero() -> None:
    frame = table(ce=[[0.5, 0.7]])
    frame.loc[1, "test_accuracy"] = None
    assert cells(frame)["mean"].tolist() == [0.5]
    assert cells(frame)["seeds"].tolist() == [1]


def test_an_empty_frame_is_an_empty_leaderboard() -> None:
    assert leaderboard(table()).empty
    assert overall(table()).empty
