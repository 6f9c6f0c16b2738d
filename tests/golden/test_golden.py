"""The golden leaderboard: real results whose every figure is pinned, and checked by others' code.

See ``make.py`` for what is in it and when it may be made anew.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import choix
import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from golden_figures import boards_of, figures_of, results_of
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.report.attribution import families_of
from bench.stats.bradley_terry import POINTS
from bench.stats.gains import SMALLEST
from bench.store import reader
from bench.store.database import open_reader

HERE = Path(__file__).parent
DATABASE = HERE / "leaderboard.db"
EXPECTED = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))

SUITES = sorted(EXPECTED)
PARTS = sorted(EXPECTED["digits"])
RANKINGS = [(suite, refiner) for suite in SUITES for refiner in EXPECTED[suite]["rankings"]]
MANY = [(s, r) for s, r in RANKINGS if len(EXPECTED[s]["rankings"][r]["leaderboard"]) > 2]
"""Rankings of three methods or more, of which Friedman's test can be made."""

CONTROLS = ("psp", "tail-constant", "recentre", "ridge", "random-basis")
PRECISION = 1e-8


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    """A reader of the golden database."""
    with closing(open_reader(DATABASE)) as found:
        yield found


@pytest.fixture(scope="module")
def found(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """What the statistics say today."""
    return {suite: figures_of(connection, board) for suite, board in boards_of(connection).items()}


@pytest.fixture(scope="module")
def results(connection: sqlite3.Connection) -> dict[str, pd.DataFrame]:
    """The scores of every board."""
    return {suite: results_of(connection, board) for suite, board in boards_of(connection).items()}


def assert_same(now: Any, pinned: Any, place: str) -> None:
    """Equal texts and whole numbers, and figures that agree to eight digits behind the point."""
    if isinstance(pinned, dict):
        assert sorted(now) == sorted(pinned), place
        for key, value in pinned.items():
            assert_same(now[key], value, f"{place} / {key}")
    elif isinstance(pinned, list):
        assert len(now) == len(pinned), place
        for number, (one, other) in enumerate(zip(now, pinned, strict=True)):
            assert_same(one, other, f"{place} / {number}")
    elif isinstance(pinned, float):
        assert now == pytest.approx(pinned, rel=PRECISION, abs=PRECISION), place
    else:
        assert now == pinned, place


def block_means(results: pd.DataFrame, refiner: str) -> pd.DataFrame:
    """Means over seeds: a row a block, a column a method. Pandas alone, none of our code."""
    kept = results[results["refiner"] == refiner]
    return kept.pivot_table("test_accuracy", ["dataset", "noise"], "method", aggfunc="mean")


def pinned_ranking(suite: str, refiner: str) -> dict[str, Any]:
    """The ranking in the file."""
    return dict(EXPECTED[suite]["rankings"][refiner])


def by(rows: list[dict[str, Any]], *keys: str) -> dict[Any, dict[str, Any]]:
    """Rows of a table in the file by some of its columns."""
    return {tuple(row[key] for key in keys) if len(keys) > 1 else row[keys[0]]: row for row in rows}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("suite", SUITES)
def test_every_pinned_figure_is_as_it_was(
    found: dict[str, dict[str, Any]], suite: str, part: str
) -> None:
    assert_same(found[suite][part], EXPECTED[suite][part], f"{suite} / {part}")


def test_no_board_and_no_refiner_came_or_went(found: dict[str, dict[str, Any]]) -> None:
    assert {(s, r) for s, figures in found.items() for r in figures["rankings"]} == set(RANKINGS)


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
        expected.append(stats.wilcoxon(difference, zero_method="zsplit").pvalue)
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


def cell_gains(results: pd.DataFrame, refiner: str) -> pd.Series:
    """Mean gain of every cell, by pandas alone."""
    wide = results.pivot_table("test_accuracy", ["dataset", "noise", "method", "seed"], "refiner")
    gains = (wide[refiner] - wide["off"]).dropna()
    return gains.groupby(["dataset", "noise", "method"], sort=False).mean().round(9)


@pytest.mark.parametrize("suite", SUITES)
def test_the_gain_of_a_refiner_is_the_mean_of_its_cells_with_scipys_test(
    results: dict[str, pd.DataFrame], suite: str
) -> None:
    rows = EXPECTED[suite]["gains"]
    gains = [cell_gains(results[suite], row["refiner"]) for row in rows]
    assert [row["gain"] for row in rows] == pytest.approx([g.mean() for g in gains], abs=1e-9)
    p = [stats.wilcoxon(values, zero_method="zsplit").pvalue for values in gains]
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
        p = [stats.wilcoxon(g, zero_method="zsplit").pvalue for g in each]
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


def test_reading_it_writes_nothing_beside_it(tmp_path: Path) -> None:
    copy = tmp_path / "leaderboard.db"
    shutil.copy(DATABASE, copy)
    before = copy.read_bytes()
    with closing(open_reader(copy)) as connection:
        boards_of(connection)
        assert [file.name for file in tmp_path.iterdir()] == ["leaderboard.db"]
    assert [file.name for file in tmp_path.iterdir()] == ["leaderboard.db"]
    assert copy.read_bytes() == before


def test_it_opens_from_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    shutil.copy(DATABASE, tmp_path / "leaderboard.db")
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with closing(open_reader(tmp_path / "leaderboard.db")) as connection:
            assert sorted(boards_of(connection)) == SUITES
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_reader_of_it_cannot_write(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM boards")


def test_it_stays_small() -> None:
    assert DATABASE.stat().st_size < 400_000
