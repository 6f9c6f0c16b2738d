"""The golden leaderboard's comparisons of two methods, checked by others' code."""

from __future__ import annotations

import itertools

import choix
import numpy as np
import pandas as pd
import pytest
from golden_board import RANKINGS, block_means, pinned_ranking
from scipy_wilcoxon import signed_rank_p
from statsmodels.stats.multitest import multipletests

from bench.stats.bradley_terry import POINTS
from bench.stats.gains import SMALLEST


@pytest.mark.parametrize(("suite", "refiner"), RANKINGS)
def test_pairs_are_those_of_scipys_wilcoxon_and_statsmodels_holm(
    results: dict[str, pd.DataFrame], suite: str, refiner: str
) -> None:
    table = block_means(results[suite], refiner)
    rows = pinned_ranking(suite, refiner)["pairs"]
    if len(table) < 6:
        assert {row["p"] for row in rows} == {"nan"}
        return
    expected = []
    for row in rows:
        difference = (table[row["method"]] - table[row["other"]]).round(9)
        expected.append(signed_rank_p(difference))
    assert [row["p"] for row in rows] == pytest.approx(expected, abs=1e-10)
    corrected = multipletests(expected, method="holm")[1]
    assert [row["p_holm"] for row in rows] == pytest.approx(list(corrected), abs=1e-10)


@pytest.mark.parametrize(("suite", "refiner"), RANKINGS)
def test_wins_and_ties_are_counted_block_by_block(
    results: dict[str, pd.DataFrame], suite: str, refiner: str
) -> None:
    table = block_means(results[suite], refiner)
    pinned = pinned_ranking(suite, refiner)
    order = list(pinned["wins"])
    for one, other in itertools.permutations(order, 2):
        difference = table[one] - table[other]
        wins = sum(value >= SMALLEST for value in difference)
        ties = sum(abs(value) < SMALLEST for value in difference)
        place = order.index(other)
        assert (pinned["wins"][one][place], pinned["ties"][one][place]) == (wins, ties)


@pytest.mark.parametrize(("suite", "refiner"), RANKINGS)
def test_strengths_are_those_of_choix(
    results: dict[str, pd.DataFrame], suite: str, refiner: str
) -> None:
    table = block_means(results[suite], refiner).round(9)
    values = table.to_numpy()[:, :, None]
    others = values.transpose(0, 2, 1)
    wins = (values > others).sum(axis=0) + ((values == others).sum(axis=0) + 1) / 2
    np.fill_diagonal(wins, 0)
    found = choix.ilsr_pairwise_dense(wins, tol=1e-13, max_iter=100_000)
    expected = dict(zip(table.columns, 1000 + POINTS * (found - found.mean()), strict=True))
    pinned = {row["method"]: row["strength"] for row in pinned_ranking(suite, refiner)["strengths"]}
    assert pinned == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("suite", "refiner"), RANKINGS)
def test_a_strength_lies_in_its_interval(suite: str, refiner: str) -> None:
    for row in pinned_ranking(suite, refiner)["strengths"]:
        assert row["low"] <= row["strength"] <= row["high"]
