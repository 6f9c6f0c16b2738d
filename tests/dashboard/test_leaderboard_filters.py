"""Every choice of the leaderboard as a part of its address, so that a view can be shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_parts import Make, Said, Visit, charts, headings, results_of, table

from bench.stats.leaderboard import leaderboard
from bench.store.database import open_reader

CHARTS = {
    "Critical difference": "Average rank of every method",
    "Strength": "Bradley-Terry strength of every method",
    "Wins": "In how many noise columns each method is better than each other",
    "Accuracy": "Mean test accuracy of every method",
    "Accuracy against cost": "Mean accuracy of every method against its training time",
}

FILTERS = {
    "refiner": "no-such-refiner",
    "epoch": "the best of all",
    "holes": "filled in",
    "columns": "all and none",
    "chart": "a pie",
    "noise": "loud",
    "methods": "no-such-method",
    "families": "no-such-family",
    "without": "a conscience",
    "datasets": "no-such-data",
    "noises": "loud",
    "oracle": "perhaps",
}


APART = """
suite: tiny
datasets: [digits]
noises: [clean, {pairflip: {rate: 0.4}}]
methods: [ce, elr]
refiners: [off, lip]
seeds: SEEDS
exclude: [{method: elr, noise: pairflip}]
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""


@pytest.fixture(scope="module")
def never_meet(make_database: Make) -> Path:
    """A board that leaves ELR under pair flips out."""
    return make_database(suite=APART)


def board_in(db: Path, suite: str) -> str:
    """The board of a suite as an address names it."""
    connection = open_reader(db)
    (key,) = connection.execute("SELECT board FROM boards WHERE suite = ?", [suite]).fetchone()
    connection.close()
    return str(key)[:8]


@pytest.mark.parametrize("refiner", ["off", "lip", "psp"])
def test_refiner_shows_the_ranking_under_it(visit: Visit, full: Path, refiner: str) -> None:
    expected = leaderboard(results_of(full), refiner)
    shown = table(visit(full, refiner=refiner))
    assert shown["mean"].tolist() == pytest.approx(expected["mean"].tolist())


def test_epoch_shows_accuracies_of_that_selector(visit: Visit, full: Path) -> None:
    last, better = (table(visit(full, epoch=name)) for name in ("last epoch", "last 10 epochs"))
    # Made up so that every epoch before the last is better by 0.002.
    assert (better["block0"] - last["block0"]).tolist() == pytest.approx([0.009] * 3, abs=1e-6)


def test_common_cells_only_ranks_the_method_that_lacks_one(visit: Visit, holes: Path) -> None:
    shown = table(visit(holes, holes="common cells only"))
    assert shown["rank"].notna().all()


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ("each noise", ["clean", "symmetric 0.5", "pairflip 0.45"]),
        ("data sets", ["digits"]),
        ("ranking only", []),
    ],
)
def test_columns_are_noises_data_sets_or_none(
    visit: Visit, full: Path, columns: str, shown: list[str]
) -> None:
    found = headings(visit(full, columns=columns))
    assert found[found.index("cost") + 1 :] == shown


@pytest.mark.parametrize("chart", CHARTS)
def test_chart_is_the_one_that_is_named(visit: Visit, full: Path, chart: str) -> None:
    (shown,) = charts(visit(full, chart=chart))
    assert shown.startswith(CHARTS[chart])


def test_noise_draws_the_accuracy_under_it_alone(visit: Visit, full: Path) -> None:
    (shown,) = charts(visit(full, chart="Accuracy", noise="pairflip 0.45"))
    assert shown.endswith(", pairflip 0.45")


def test_methods_leave_the_others_out_of_the_ranking(visit: Visit, full: Path) -> None:
    shown = table(visit(full, methods=["ce", "gce"]))
    assert shown.set_index("method")["rank"].to_dict() == {"gce": 1.0, "ce": 2.0}


def test_families_leave_methods_of_others_out(visit: Visit, full: Path) -> None:
    assert set(table(visit(full, families="selection"))["method"]) == {"co-teaching"}


def test_without_leaves_methods_out_that_are_told_something(visit: Visit, full: Path) -> None:
    assert set(table(visit(full, without="rate"))["method"]) == {"ce", "gce"}


def test_datasets_leave_the_noises_of_others_out(visit: Visit, golden: Path) -> None:
    board = board_in(golden, "noise-types")
    at = visit(golden, board=board, datasets="digits", columns="each noise")
    assert "clean" in headings(at)
    assert not [heading for heading in headings(at) if "cluttered" in heading]


def test_noises_leave_the_other_columns_out(visit: Visit, full: Path) -> None:
    assert headings(visit(full, noises=["clean", "pairflip 0.45"]))[-2:] == [
        "clean",
        "pairflip 0.45",
    ]


def test_oracle_adds_its_column(visit: Visit, full: Path) -> None:
    assert "oracle, not ranked" in headings(visit(full, oracle="true"))


def test_a_filtered_view_says_so_and_why_ranks_differ(visit: Visit, said: Said, full: Path) -> None:
    text = said(visit(full, methods=["ce", "gce"], noises="clean"))
    assert (
        "Filtered: 2 of 3 methods, 1 noise. Ranks are among what is shown, and change with it."
        in text
    )


def test_an_unfiltered_view_says_nothing_of_filters(visit: Visit, said: Said, full: Path) -> None:
    assert "Filtered:" not in said(visit(full))


def test_ranks_among_a_part_are_those_of_the_part(visit: Visit, full: Path) -> None:
    results = results_of(full)
    part = results[results["method"].isin(["ce", "co-teaching"]) & (results["noise"] != "clean")]
    expected = leaderboard(part).set_index("method")
    at = visit(full, methods=["ce", "co-teaching"], noises=["symmetric 0.5", "pairflip 0.45"])
    shown = table(at).set_index("method")
    assert shown["mean"].to_dict() == pytest.approx(expected["mean"].to_dict())


@pytest.mark.parametrize("name", FILTERS)
def test_what_nobody_knows_in_an_address_shows_the_view_without_it(
    visit: Visit, full: Path, name: str
) -> None:
    query = {"chart": "Accuracy"} if name == "noise" else {}
    at = visit(full, **query, **{name: FILTERS[name]})
    assert table(at).equals(table(visit(full, **query)))
    assert not at.error


def test_a_known_and_an_unknown_name_together_show_the_known_one(visit: Visit, full: Path) -> None:
    assert list(table(visit(full, methods=["gce", "no-such-method"]))["method"]) == ["gce"]


@pytest.mark.parametrize(
    "query",
    [
        {"methods": "ce", "families": "selection"},
        {"methods": "co-teaching", "without": "2 nets"},
        {"families": "selection", "without": ["rate", "2 nets"]},
    ],
)
@pytest.mark.parametrize("page", ["leaderboard", "gains"])
def test_filters_that_leave_no_method_show_nothing_and_not_everything(
    visit: Visit, said: Said, full: Path, page: str, query: dict[str, Any]
) -> None:
    at = visit(full, page, **query)
    assert "Nothing is left" in said(at)
    assert not at.dataframe


@pytest.mark.parametrize("page", ["leaderboard", "gains"])
def test_a_method_and_a_noise_that_never_meet_leave_nothing(
    visit: Visit, said: Said, never_meet: Path, page: str
) -> None:
    at = visit(never_meet, page, methods="elr", noises="pairflip 0.4")
    assert "Nothing is left" in said(at)


def test_many_noise_columns_begin_as_data_sets(visit: Visit, golden: Path) -> None:
    at = visit(golden, board=board_in(golden, "noise-types"))
    assert headings(at)[-2:] == ["digits", "cluttered-digits"]


def test_a_data_sets_column_is_the_mean_of_its_noises(visit: Visit, golden: Path) -> None:
    results = results_of(golden, "noise-types")
    kept = results[(results["refiner"] == "off") & (results["dataset"] == "cluttered-digits")]
    expected = kept.groupby(["method", "noise"])["test_accuracy"].mean().groupby("method").mean()
    at = visit(golden, board=board_in(golden, "noise-types"), columns="data sets")
    column = table(at).columns[headings(at).index("cluttered-digits")]
    shown = table(at).set_index("method")[column].astype(float)
    assert shown.to_dict() == pytest.approx(expected.to_dict())
