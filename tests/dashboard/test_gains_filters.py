"""Every choice of the page of gains as a part of its address."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_parts import Said, Visit, charts, results_of, with_columns

from bench.stats.gains import by_cell, by_method

WHERE = {
    "Off to on": "Accuracy of every method without and with lip",
    "Noise rate": "Gain of lip against the share of wrong labels, a mark a cell",
    "Accuracy without it": "Gain of lip against accuracy without it, a mark a cell",
}

FILTERS = {
    "gain": "no-such-refiner",
    "where": "nowhere",
    "oracle_k": "perhaps",
    "cell": "no · such · cell",
    "methods": "no-such-method",
    "families": "no-such-family",
    "without": "a conscience",
    "datasets": "no-such-data",
    "noises": "loud",
}


@pytest.mark.parametrize("refiner", ["lip", "psp"])
def test_gain_names_the_refiner_of_the_table_by_method(
    visit: Visit, full: Path, refiner: str
) -> None:
    expected = by_method(results_of(full))
    expected = expected[expected["refiner"] == refiner].set_index("method")["gain"]
    shown = with_columns(visit(full, "gains", gain=refiner), "method", "gain").set_index("method")
    assert shown["gain"].astype(float).to_dict() == pytest.approx(expected.to_dict())


@pytest.mark.parametrize("where", WHERE)
def test_where_names_the_chart_under_the_heat_map(visit: Visit, full: Path, where: str) -> None:
    assert charts(visit(full, "gains", where=where))[1] == WHERE[where]


def test_cell_names_the_cell_whose_every_k_is_drawn(visit: Visit, said: Said, full: Path) -> None:
    cells = by_cell(results_of(full))
    one = cells[(cells["method"] == "ce") & (cells["noise"] == "clean")].iloc[0]
    text = said(visit(full, "gains", cell="ce · clean"))
    assert f"dashed: off, {100 * one['off']:.2f} %" in text


def test_oracle_k_adds_the_column_of_the_oracle(visit: Visit, full: Path) -> None:
    assert "oracle" in with_columns(visit(full, "gains", oracle_k="true"), "refiner", "where")


def test_methods_leave_the_others_out_of_the_gains(visit: Visit, full: Path) -> None:
    shown = with_columns(visit(full, "gains", methods=["ce", "gce"]), "method", "gain")
    assert set(shown["method"]) == {"ce", "gce"}


def test_families_leave_methods_of_others_out_of_the_gains(visit: Visit, full: Path) -> None:
    shown = with_columns(visit(full, "gains", families="selection"), "method", "gain")
    assert set(shown["method"]) == {"co-teaching"}


def test_without_leaves_methods_out_of_the_gains(visit: Visit, full: Path) -> None:
    shown = with_columns(visit(full, "gains", without="2 nets"), "method", "gain")
    assert set(shown["method"]) == {"ce", "gce"}


def test_noises_leave_cells_out_of_every_mean(visit: Visit, full: Path) -> None:
    shown = with_columns(visit(full, "gains", noises=["clean", "pairflip 0.45"]), "method", "gain")
    assert set(shown["cells"]) == {2}


def test_the_verdict_is_on_the_filtered_cells(visit: Visit, said: Said, full: Path) -> None:
    cells = by_cell(results_of(full))
    kept = cells[(cells["refiner"] == "psp") & (cells["method"] != "ce")]
    text = said(visit(full, "gains", gain="psp", methods=["gce", "co-teaching"]))
    mean = f"{100 * kept['gain'].mean():+.2f}".replace("-", "−")
    assert f"**psp**: **{mean} points** on average over 6 cells" in text


def test_the_table_of_all_refiners_is_without_the_filter_and_says_so(
    visit: Visit, said: Said, full: Path
) -> None:
    at = visit(full, "gains", methods="ce")
    assert set(with_columns(at, "refiner", "where")["cells"]) == {9}
    assert "over cells, without the filter" in said(at)


@pytest.mark.parametrize("name", FILTERS)
def test_what_nobody_knows_in_an_address_shows_the_gains_without_it(
    visit: Visit, said: Said, full: Path, name: str
) -> None:
    at = visit(full, "gains", **{name: FILTERS[name]})
    assert said(at) == said(visit(full, "gains"))
