"""The golden leaderboard's means, ranks and tests of ranks, checked by others' code."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from golden_board import EXPECTED, MANY, RANKINGS, block_means, by, pinned_ranking
from scipy import stats


@pytest.mark.parametrize(("suite", "refiner"), RANKINGS)
def test_means_and_ranks_are_those_of_pandas_and_scipy(
    results: dict[str, pd.DataFrame], suite: str, refiner: str
) -> None:
    table = block_means(results[suite], refiner)
    # Rounded, because means of equal seeds may differ in their last bits, which is a tie.
    ranked = stats.rankdata(-table.round(9).to_numpy(), axis=1).mean(axis=0)
    expected = dict(zip(table.columns, zip(table.mean(), ranked, strict=True), strict=True))
    shown = {
        row["method"]: (row["mean"], row["rank"])
        for row in pinned_ranking(suite, refiner)["leaderboard"]
    }
    assert shown == {name: pytest.approx(pair, abs=1e-10) for name, pair in expected.items()}


@pytest.mark.parametrize(("suite", "refiner"), RANKINGS)
def test_methods_stand_in_the_order_of_their_ranks(suite: str, refiner: str) -> None:
    ranks = [row["rank"] for row in pinned_ranking(suite, refiner)["leaderboard"]]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(("suite", "refiner"), RANKINGS)
def test_intervals_of_cells_are_students(
    results: dict[str, pd.DataFrame], suite: str, refiner: str
) -> None:
    kept = results[suite][results[suite]["refiner"] == refiner]
    pinned = by(pinned_ranking(suite, refiner)["cells"], "dataset", "noise", "method")
    for cell, group in kept.groupby(["dataset", "noise", "method"]):
        values = group["test_accuracy"].to_numpy()
        row = pinned[cell]
        if np.ptp(values) == 0:
            assert row["low"] == row["high"] == pytest.approx(values[0], abs=1e-10)
            continue
        expected = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        assert (row["low"], row["high"]) == pytest.approx(expected, abs=1e-10)


def exact_bootstrap(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Percentiles of the means of all resamples there are."""
    means = [np.mean(drawn) for drawn in itertools.product(values, repeat=len(values))]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize("refiner", EXPECTED["digits"]["rankings"])
def test_intervals_of_means_are_close_to_those_of_all_resamples(
    results: dict[str, pd.DataFrame], refiner: str
) -> None:
    table = block_means(results["digits"], refiner)
    for row in pinned_ranking("digits", refiner)["leaderboard"]:
        expected = exact_bootstrap(table[row["method"]].to_numpy())
        width = expected[1] - expected[0]
        assert (row["low"], row["high"]) == pytest.approx(expected, abs=0.05 * width)


@pytest.mark.parametrize(("suite", "refiner"), MANY)
def test_friedman_is_scipys_with_the_f_form_of_iman_and_davenport(
    results: dict[str, pd.DataFrame], suite: str, refiner: str
) -> None:
    table = block_means(results[suite], refiner).round(9)
    n, k = table.shape
    chi, p = stats.friedmanchisquare(*(table[name] for name in table))
    f = (n - 1) * chi / (n * (k - 1) - chi)
    expected = {"statistic": chi, "p": p, "f_statistic": f, "n_methods": k, "n_blocks": n}
    expected["f_p"] = stats.f.sf(f, k - 1, (k - 1) * (n - 1))
    assert pinned_ranking(suite, refiner)["friedman"] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("suite", "refiner"), MANY)
def test_nemenyi_is_that_of_scikit_posthocs(
    results: dict[str, pd.DataFrame], suite: str, refiner: str
) -> None:
    table = block_means(results[suite], refiner).round(9)
    expected = scikit_posthocs.posthoc_nemenyi_friedman(table.to_numpy())
    expected = pd.DataFrame(expected.to_numpy(), index=table.columns, columns=table.columns)
    pinned = pinned_ranking(suite, refiner)["nemenyi"]
    order = list(pinned)
    assert np.array(list(pinned.values())) == pytest.approx(
        expected.loc[order, order].to_numpy(), abs=1e-6
    )


DEMSAR = {2: 1.960, 4: 2.569, 5: 2.728}
"""q at 0.05 by number of methods, from table 5 of Demšar, JMLR 7 (2006)."""


@pytest.mark.parametrize(("suite", "refiner"), RANKINGS)
def test_the_critical_difference_is_that_of_demsars_table(suite: str, refiner: str) -> None:
    pinned = pinned_ranking(suite, refiner)
    k, n = pinned["friedman"]["n_methods"], pinned["friedman"]["n_blocks"]
    expected = DEMSAR[k] * math.sqrt(k * (k + 1) / (6 * n))
    assert pinned["critical difference"] == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(("suite", "refiner"), RANKINGS)
def test_bars_join_exactly_the_neighbours_within_the_critical_difference(
    suite: str, refiner: str
) -> None:
    pinned = pinned_ranking(suite, refiner)
    ranks = {row["method"]: row["rank"] for row in pinned["leaderboard"]}
    joined = {pair for bar in pinned["cliques"] for pair in itertools.combinations(bar, 2)}
    for one, other in itertools.combinations(ranks, 2):
        close = abs(ranks[one] - ranks[other]) < pinned["critical difference"]
        assert ((one, other) in joined or (other, one) in joined) == close
