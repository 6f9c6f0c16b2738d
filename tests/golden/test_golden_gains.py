"""The golden leaderboard's gains of refiners and their attribution, checked by others' code."""

from __future__ import annotations

import sqlite3

import numpy as np
import pandas as pd
import pytest
from golden_board import EXPECTED, SUITES, by, cell_gains
from golden_figures import boards_of
from scipy import stats
from scipy_wilcoxon import signed_rank_p
from statsmodels.stats.multitest import multipletests

from bench.report.attribution import families_of
from bench.store import reader

CONTROLS = ("psp", "tail-constant", "recentre", "ridge", "random-basis")


@pytest.mark.parametrize("suite", SUITES)
def test_gains_of_cells_are_those_of_the_view(connection: sqlite3.Connection, suite: str) -> None:
    board = boards_of(connection)[suite]
    expected = {
        tuple(row[:4]): row[4]
        for row in connection.execute(
            "SELECT dataset, noise, method, refiner, avg(gain) FROM gains WHERE board = ? "
            "GROUP BY dataset, noise, method, refiner",
            [board],
        )
    }
    rows = by(EXPECTED[suite]["gains by cell"], "dataset", "noise", "method", "refiner")
    assert {key: row["gain"] for key, row in rows.items()} == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("suite", SUITES)
def test_the_gain_of_a_refiner_is_the_mean_of_its_cells_with_scipys_test(
    results: dict[str, pd.DataFrame], suite: str
) -> None:
    rows = EXPECTED[suite]["gains"]
    gains = [cell_gains(results[suite], row["refiner"]) for row in rows]
    assert [row["gain"] for row in rows] == pytest.approx([g.mean() for g in gains], abs=1e-9)
    p = [signed_rank_p(values) for values in gains]
    corrected = list(multipletests(p, method="holm")[1])
    assert [row["p"] for row in rows] == pytest.approx(corrected, abs=1e-10)


@pytest.mark.parametrize("suite", SUITES)
def test_effects_are_rank_sums_and_improvements_are_shares_of_seeds(
    results: dict[str, pd.DataFrame], suite: str
) -> None:
    wide = results[suite].pivot_table(
        "test_accuracy", ["dataset", "noise", "method", "seed"], "refiner"
    )
    for row in EXPECTED[suite]["gains"]:
        gains = cell_gains(results[suite], row["refiner"])
        ranks = stats.rankdata(gains.abs())
        effect = (ranks * np.sign(gains)).sum() / ranks.sum()
        seeds = (wide[row["refiner"]] - wide["off"]).dropna().round(7)
        better = (np.sign(seeds) + 1) / 2
        improvement = better.groupby(["dataset", "noise", "method"]).mean().mean()
        assert (row["effect"], row["improvement"]) == pytest.approx((effect, improvement), abs=1e-8)


@pytest.mark.parametrize("suite", SUITES)
def test_intervals_of_gains_are_close_to_those_of_scipys_bootstrap(
    results: dict[str, pd.DataFrame], suite: str
) -> None:
    for row in EXPECTED[suite]["gains"]:
        gains = cell_gains(results[suite], row["refiner"]).to_numpy()
        found = stats.bootstrap(
            (gains,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
        ).confidence_interval
        width = found.high - found.low
        assert (row["low"], row["high"]) == pytest.approx(tuple(found), abs=0.06 * width)


@pytest.mark.parametrize("suite", SUITES)
def test_gains_by_method_are_the_means_of_the_methods_cells_with_scipys_test(
    results: dict[str, pd.DataFrame], suite: str
) -> None:
    rows = EXPECTED[suite]["gains by method"]
    for refiner in dict.fromkeys(row["refiner"] for row in rows):
        mine = [row for row in rows if row["refiner"] == refiner]
        gains = cell_gains(results[suite], refiner)
        each = [gains.xs(row["method"], level="method") for row in mine]
        assert [r["gain"] for r in mine] == pytest.approx([g.mean() for g in each], abs=1e-9)
        if min(map(len, each)) < 6:
            assert {row["p"] for row in mine} == {"nan"}
            continue
        p = [signed_rank_p(g) for g in each]
        assert [row["p"] for row in mine] == pytest.approx(p, abs=1e-10)
        corrected = list(multipletests(p, method="holm")[1])
        assert [row["p_holm"] for row in mine] == pytest.approx(corrected, abs=1e-10)


@pytest.mark.parametrize("suite", SUITES)
def test_attribution_compares_with_the_control_of_the_highest_mean(
    connection: sqlite3.Connection, results: dict[str, pd.DataFrame], suite: str
) -> None:
    methods = reader.methods(connection, boards_of(connection)[suite])
    families = families_of(methods, results[suite])
    controls = [n for n in dict.fromkeys(results[suite]["refiner"]) if n in CONTROLS]
    for row in EXPECTED[suite]["attribution"]:
        family = [m for m, name in families.items() if row["family"] in (name, "all methods")]
        kept = results[suite][results[suite]["method"].isin(family)]
        own = cell_gains(kept, row["refiner"])
        means = {name: cell_gains(kept, name).mean() for name in controls}
        best = max(means, key=lambda name: means[name], default="")
        assert row["best_control"] == best
        assert row["gain"] == pytest.approx(own.mean(), abs=1e-9)
        if best:
            assert row["difference"] == pytest.approx(own.mean() - means[best], abs=1e-8)


@pytest.mark.parametrize("suite", SUITES)
def test_a_verdict_follows_from_its_interval(suite: str) -> None:
    for row in EXPECTED[suite]["attribution"]:
        if row["high"] < 0:
            assert row["verdict"] == "harm"
        elif row["low"] <= 0:
            assert row["verdict"] == "no gain"
        else:
            assert row["verdict"].startswith(("also by ", "open: no ", "LIP's own"))
