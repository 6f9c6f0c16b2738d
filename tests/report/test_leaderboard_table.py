"""The leaderboard and the tables of who differs from whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.report.content import Content
from bench.report.leaderboard import leaderboard_table
from bench.report.rank_tables import pairs_table, statistics_table, wins_table
from bench.report.standing import Standing, standing_of
from bench.report.tables import Table, stars
from bench.stats.leaderboard import leaderboard
from bench.stats.pairs import wilcoxon_pairs

Read = Callable[[Path], Content]

METHODS = pd.DataFrame({"method": ["a", "b", "c"], "knows": [[]] * 3, "uses": [[]] * 3})


def standing(content: Content, holes: str = "all") -> Standing:
    return standing_of(content.results, "off", holes, content.asked)


def table_of(content: Content, holes: str = "all") -> Table:
    return leaderboard_table(standing(content, holes), content.methods, excluded=content.excluded)


def column(table: Table, name: str) -> list[str]:
    """What a column holds, from the first row to the last."""
    place = table.columns.index(name)
    return [row[place] for row in table.rows]


def marked(table: Table) -> dict[str, str]:
    """Method -> its mark, also where the table is turned."""
    if "method" in table.columns:
        return {column(table, "method")[row]: mark for (row, _), mark in table.marks.items()}
    return {table.columns[place]: mark for (_, place), mark in table.marks.items()}


def made_up(blocks: int, behind: dict[str, float]) -> pd.DataFrame:
    """One seed a cell; every method that far behind in every block."""
    rows = [
        ("digits", f"noise {n}", method, 0, "off", 0.9 - 0.01 * n - loss - 0.0001 * n * loss)
        for n in range(blocks)
        for method, loss in behind.items()
    ]
    return pd.DataFrame(
        rows, columns=["dataset", "noise", "method", "seed", "refiner", "test_accuracy"]
    )


def test_methods_are_grouped_rated_and_stressed(full: Path, content_of: Read) -> None:
    table = table_of(content_of(full))
    assert column(table, "method") == ["gce", "elr", "co-teaching", "ce"]
    assert column(table, "rank") == ["1.50", "1.50", "3.00", "4.00"]
    assert column(table, "group") == ["a", "a", "ab", "b"]
    assert column(table, "told / uses")[2] == "rate, 2 nets"
    means, strengths = column(table, "mean"), column(table, "strength")
    assert all(" ± " in cell for cell in [*means, *strengths])
    ranked = table.columns.index("rank")
    assert {row for row, place in table.best if place == ranked} == {0, 1}


@pytest.mark.parametrize("blocks", [3, 5, 6, 8, 12])
def test_daggers_are_exactly_where_p_says(blocks: int) -> None:
    results = made_up(blocks, {"a": 0.0, "b": 0.01, "c": 0.02})
    found = standing_of(results, "off")
    table = leaderboard_table(found, METHODS)
    pairs = found.pairs
    level = set(pairs.loc[(pairs["method"] == "a") & (pairs["p_holm"] >= 0.05), "other"])
    assert marked(table) == dict.fromkeys(level, "†")
    said = " ".join(table.notes)
    assert ("No method is marked †" in said) == (blocks < 6)
    assert ("† not told apart from the best-ranked method" in said) == (blocks >= 6)


def test_a_method_that_is_level_with_the_best_is_marked(full: Path, content_of: Read) -> None:
    assert marked(table_of(content_of(full))) == {"elr": "†"}


def test_marks_and_best_move_with_their_cells_when_a_table_is_turned() -> None:
    results = made_up(12, {"a": 0.0, "b": 1e-9, "c": 0.02})
    table = leaderboard_table(standing_of(results, "off"), METHODS)
    assert table.columns == ("", "a", "b", "c")
    assert table.rows[0] == ("rank", "1.50", "1.50", "3.00")
    assert dict(table.marks) == {(0, 2): "†"}
    assert {(0, 1), (0, 2)} <= table.best


def test_with_holes_a_method_that_lacks_a_cell_is_listed_and_not_ranked(
    holes: Path, content_of: Read
) -> None:
    table = table_of(content_of(holes))
    assert column(table, "method")[-1] == "elr"
    assert column(table, "rank")[-1] == column(table, "mean")[-1] == "–"
    assert column(table, "pairflip 0.4")[-1] == "missing"
    assert "methods with an empty cell are listed and not ranked" in " ".join(table.notes)


def test_common_cells_rank_every_method_over_the_columns_that_all_have(
    holes: Path, content_of: Read
) -> None:
    content = content_of(holes)
    table = table_of(content, "common")
    board = leaderboard(content.results, "off", "common")
    assert column(table, "method") == board["method"].tolist()
    assert column(table, "rank") == [f"{rank:.2f}" for rank in board["rank"]]
    assert column(table, "rank") != column(table_of(content), "rank")
    said = " ".join(table.notes)
    assert "over the 7 of 8 columns in which every method has a result" in said
    assert "without pairflip 0.4." in said


def test_a_cell_says_how_many_of_its_seeds_it_has(holes: Path, content_of: Read) -> None:
    table = table_of(content_of(holes))
    clean = dict(zip(column(table, "method"), column(table, "clean"), strict=True))
    assert clean["gce"].endswith(" (1/2)")
    assert "/2)" not in clean["ce"]


def test_too_few_seeds_and_blocks_are_said_under_the_table(full: Path, content_of: Read) -> None:
    said = " ".join(table_of(content_of(full)).notes)
    assert "All cells have fewer than three seeds: differences there say little." in said
    assert "read the F form of Iman and Davenport" in said


def test_what_the_plan_leaves_out_is_no_hole(full: Path, content_of: Read) -> None:
    content = content_of(full)
    out = pd.DataFrame(
        [["digits", "clean", "ce", "of no use"]], columns=["dataset", "noise", "method", "reason"]
    )
    gone = (content.results["method"] == "ce") & (content.results["noise"] == "clean")
    found = standing_of(content.results[~gone], "off", "all", content.asked)
    table = leaderboard_table(found, content.methods, excluded=out)
    assert "left out" in column(table, "clean")
    assert "1 cell is left out by the plan: of no use (1)." in table.notes


def test_the_test_of_the_ranking_in_a_row(full: Path, content_of: Read) -> None:
    table = statistics_table(standing(content_of(full)))
    values = dict(zip(table.columns, table.rows[0], strict=True))
    assert (values["methods"], values["columns"]) == ("4", "8")
    assert values["Friedman χ²"] == "21.60"
    assert values["p of F"] == "< 0.001"
    assert values["critical difference"] == "1.66"
    assert table.notes[0] == "The average ranks differ (p of F < 0.001)."


def test_pairs_have_stars_exactly_where_p_says(full: Path, content_of: Read) -> None:
    found = standing(content_of(full))
    table = pairs_table(found)
    expected = wilcoxon_pairs(found.ranks)
    assert len(table.rows) == 6
    assert {row for row, _ in table.marks} == set(expected.index[expected["p_holm"] < 0.05])
    assert all(mark == stars(expected["p_holm"][row]) for (row, _), mark in table.marks.items())
    short = pairs_table(found, only_significant=True)
    assert len(short.rows) == len(table.marks)
    assert "formats html and csv have all pairs" in short.notes[-1]


def test_wins_ties_and_losses_mirror_each_other(full: Path, content_of: Read) -> None:
    table = wins_table(standing(content_of(full)))
    assert table.columns == ("method", "gce", "elr", "co-teaching", "ce")
    rows = {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}
    assert rows["elr"]["ce"] == "8/0/0"
    assert rows["ce"]["elr"] == "0/0/8"
    assert rows["elr"]["gce"] == "4/0/4"
    assert rows["ce"]["ce"] == ""


@pytest.mark.parametrize(
    ("p", "mark"), [(0.0009, "***"), (0.009, "**"), (0.049, "*"), (0.05, ""), (float("nan"), "")]
)
def test_stars(p: float, mark: str) -> None:
    assert stars(p) == mark
