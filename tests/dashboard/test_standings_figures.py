"""Figures of the leaderboard are those of ``bench.stats``; holes, remarks and large boards."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from page_parts import Make, Said, Visit, charts, headings, results_of, table, with_columns

from bench.records import Outcome
from bench.stats import pairs, ranks
from bench.stats.bradley_terry import strengths
from bench.stats.costs import costs_of
from bench.stats.gains import overall
from bench.stats.leaderboard import cells, leaderboard
from bench.store import reader
from bench.store.database import open_reader
from bench.training_spec import TrainingSpec

Synthetic = tuple[Callable[[TrainingSpec], Outcome], Callable[..., Outcome]]


def board_table(db: Path, suite: str = "tiny", holes: str = "all") -> pd.DataFrame:
    """Accuracies that are ranked, a row a block and a column a method."""
    return ranks.block_table(cells(results_of(db, suite)), holes)


def numbers(at: Any, column: str) -> dict[str, float]:
    """A column of the leaderboard by method."""
    found: dict[str, float] = table(at).set_index("method")[column].astype(float).to_dict()
    return found


def test_ranks_and_means_are_those_of_the_statistics(visit: Visit, golden: Path) -> None:
    at = visit(golden, board=key_of(golden, "digits"))
    expected = leaderboard(results_of(golden, "digits")).set_index("method")
    for column in ("rank", "mean"):
        assert numbers(at, column) == pytest.approx(expected[column].to_dict())


def key_of(db: Path, suite: str) -> str:
    """The board of a suite as an address names it."""
    with closing(open_reader(db)) as connection:
        return reader.find_board(connection, suite, None).board[:8]


def test_strengths_are_those_of_bradley_and_terry(visit: Visit, golden: Path) -> None:
    at = visit(golden, board=key_of(golden, "digits"))
    expected = strengths(board_table(golden, "digits")).set_index("method")["strength"]
    assert numbers(at, "strength") == pytest.approx(expected.to_dict())


def test_groups_are_letters_of_those_that_nemenyi_does_not_tell_apart(
    visit: Visit, golden: Path
) -> None:
    found = board_table(golden, "digits")
    average = ranks.average_ranks(found).sort_values(kind="stable")
    difference = ranks.critical_difference(found.shape[1], len(found))
    expected = ranks.letters(list(average.index), ranks.cliques(average, difference))
    shown = table(visit(golden, board=key_of(golden, "digits"))).set_index("method")["group"]
    assert shown.to_dict() == expected


def test_cost_is_seconds_of_training_relative_to_cross_entropy(visit: Visit, golden: Path) -> None:
    key = key_of(golden, "digits")
    with closing(open_reader(golden)) as connection:
        board = reader.find_board(connection, "digits", None).board
        expected = costs_of(reader.methods(connection, board)).set_index("method")["cost"]
    shown = numbers(visit(golden, board=key), "cost")
    assert shown["ce"] == 1
    assert shown == pytest.approx(expected.to_dict())


def test_costs_of_a_part_are_told_in_the_same_unit(visit: Visit, golden: Path) -> None:
    at = visit(golden, board=key_of(golden, "digits"), chart="Accuracy against cost")
    filtered = visit(golden, board=key_of(golden, "digits"), methods=["elr", "gce"])
    assert numbers(filtered, "cost")["elr"] == numbers(at, "cost")["elr"]


def test_every_pair_is_tested_as_the_statistics_test_it(visit: Visit, golden: Path) -> None:
    at = visit(golden, board=key_of(golden, "analysis"), pairs="true")
    expected = pairs.wilcoxon_pairs(board_table(golden, "analysis"))
    shown = with_columns(at, "p_holm", "other")
    assert shown["p_holm"].tolist() == pytest.approx(expected["p_holm"].tolist())


def test_friedmans_test_is_said_in_words(visit: Visit, said: Said, golden: Path) -> None:
    found = ranks.friedman(board_table(golden, "analysis"))
    text = said(visit(golden, board=key_of(golden, "analysis")))
    assert f"Friedman χ² = {found.statistic:.2f}" in text
    assert f"F = {found.f_statistic:.2f}" in text


def test_the_critical_difference_is_said_under_its_diagram(
    visit: Visit, said: Said, golden: Path
) -> None:
    found = ranks.critical_difference(5, 5)
    text = said(visit(golden, board=key_of(golden, "digits")))
    assert f"the critical difference of Nemenyi's test ({found:.2f} at 0.05)" in text


def test_two_methods_have_no_friedman_and_say_why(visit: Visit, said: Said, full: Path) -> None:
    text = said(visit(full, methods=["ce", "gce"]))
    assert "Friedman's test needs three ranked methods and two noise columns" in text


def test_one_method_needs_a_second_for_every_comparison(
    visit: Visit, said: Said, full: Path
) -> None:
    for chart in ("Critical difference", "Strength", "Wins"):
        at = visit(full, methods="ce", chart=chart)
        assert "Two ranked methods or more are needed for this." in said(at)
        assert charts(at) == []


def test_gains_are_those_of_the_statistics(visit: Visit, golden: Path) -> None:
    at = visit(golden, "gains", board=key_of(golden, "analysis"))
    expected = overall(results_of(golden, "analysis")).set_index("refiner")
    shown = with_columns(at, "refiner", "where").set_index("refiner")
    for column in ("gain", "low", "high", "p"):
        found = shown[column].astype(float).to_dict()
        assert found == pytest.approx(expected[column].to_dict())


def test_with_holes_a_method_that_lacks_a_cell_has_no_rank(visit: Visit, holes: Path) -> None:
    expected = leaderboard(results_of(holes)).set_index("method")["rank"]
    assert numbers(visit(holes), "rank") == pytest.approx(expected.to_dict(), nan_ok=True)


def test_common_cells_only_ranks_all_over_the_columns_they_share(
    visit: Visit, said: Said, holes: Path
) -> None:
    at = visit(holes, holes="common cells only")
    expected = leaderboard(results_of(holes), holes="common").set_index("method")
    for column in ("rank", "mean"):
        assert numbers(at, column) == pytest.approx(expected[column].to_dict())
    assert "Ranks and means are over the 2 columns of 3 that every method has." in said(at)


def test_ranks_differ_between_the_two_rules(visit: Visit, holes: Path) -> None:
    every, common = (visit(holes, holes=rule) for rule in ("with holes", "common cells only"))
    assert numbers(every, "rank") != pytest.approx(numbers(common, "rank"), nan_ok=True)


def test_what_common_cells_leave_out_is_still_shown(visit: Visit, holes: Path) -> None:
    shown = table(visit(holes, holes="common cells only"))
    assert shown["block2"].notna().sum() == 2


def test_few_columns_are_remarked_in_words(visit: Visit, said: Said, full: Path) -> None:
    text = said(visit(full))
    assert "With 3 blocks no Wilcoxon test is made: below six it cannot reach p = 0.05." in text
    assert "All blocks are of one data set" in text


def test_enough_seeds_and_columns_are_not_remarked(visit: Visit, said: Said, golden: Path) -> None:
    text = said(visit(golden, board=key_of(golden, "noise-types")))
    assert "seed only" not in text
    assert "no Wilcoxon test is made" not in text


@pytest.fixture(scope="module")
def partly_refused(make_database: Make, write_synthetic: Synthetic) -> Path:
    """Under pair flips lip has no value of CE, and of GCE at one seed of three."""
    done, _ = write_synthetic

    def fate(spec: TrainingSpec) -> Outcome:
        outcome = done(spec)
        wrong = spec.noise.name == "pairflip" and (
            spec.method == "ce" or (spec.method == "gce" and spec.seed == 0)
        )
        if not wrong:
            return outcome
        found = tuple(
            replace(e, test_accuracy=None, noisy_val_accuracy=None, k=None, error="not finite")
            if e.label == "lip"
            else e
            for e in outcome.evaluations
        )
        return replace(outcome, evaluations=found)

    return make_database(fate)


def test_a_refused_evaluation_is_a_hole_without_a_value(
    visit: Visit, said: Said, partly_refused: Path
) -> None:
    at = visit(partly_refused, refiner="lip")
    assert "1 without a value: ce · pairflip 0.45" in said(at)
    assert numbers(at, "rank")["ce"] != numbers(at, "rank")["ce"]


def test_a_cell_with_some_refused_seeds_is_over_the_others(
    visit: Visit, said: Said, partly_refused: Path
) -> None:
    at = visit(partly_refused, refiner="lip")
    assert "2 trainings of cells" not in said(at)
    assert "1 training of cells that have a result is missing too" in said(at)


def test_without_the_refiner_nothing_is_refused(visit: Visit, partly_refused: Path) -> None:
    assert table(visit(partly_refused))["rank"].notna().all()


def test_gains_are_over_the_pairs_that_there_are(visit: Visit, partly_refused: Path) -> None:
    shown = with_columns(visit(partly_refused, "gains"), "method", "gain").set_index("method")
    assert shown["cells"].to_dict() == {"ce": 2, "gce": 3, "co-teaching": 3}


def test_refused_evaluations_are_listed_with_their_reasons(
    visit: Visit, partly_refused: Path
) -> None:
    listed = with_columns(visit(partly_refused, refused="true"), "refiner", "error")
    assert listed["error"].tolist() == ["not finite"] * 4


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 methods under 200 noises at one seed, as ``benchmarks/big_database.py`` makes it."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    try:
        from big_database import build
    finally:
        sys.path.pop(0)
    path = tmp_path_factory.mktemp("large") / "large.db"
    build(path, methods=60, blocks=200, seeds=1)
    return path


def test_a_large_board_opens_with_a_column_a_data_set(visit: Visit, large: Path) -> None:
    at = visit(large)
    assert headings(at)[-10:] == [f"set-{number}" for number in range(10)]
    assert len(table(at)) == 60
    assert not at.error


def test_a_large_board_can_show_every_noise_as_numbers(visit: Visit, large: Path) -> None:
    at = visit(large, columns="each noise")
    shown = table(at)
    assert shown.shape[1] - list(shown.columns).index("block0") == 200
    assert pd.api.types.is_float_dtype(shown["block0"])


@pytest.mark.parametrize("chart", ["Strength", "Wins", "Accuracy", "Accuracy against cost"])
def test_a_large_board_draws_every_chart(visit: Visit, large: Path, chart: str) -> None:
    at = visit(large, chart=chart)
    assert len(charts(at)) == 1
    assert not at.error


def test_the_gains_of_a_large_board_open(visit: Visit, large: Path) -> None:
    at = visit(large, "gains")
    assert not at.error
    assert len(with_columns(at, "method", "gain")) == 60
