"""The list of runs: its columns, filters, order and pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_up_runs import SUITE, MakeDatabase
from page_parts import Said, Visit
from run_page_parts import keys, listed

from dashboard import run_list


def test_the_list_has_every_run_of_the_plan(visit: Visit, said: Said, full: Path) -> None:
    at = visit(full, "runs")
    found = listed(at)
    assert len(found) == 27
    assert set(found["status"]) == {"done"}
    assert list(found.columns[:2]) == ["key", "method"]
    assert found["key"].str.fullmatch("[0-9a-f]{8}").all()
    assert found["accuracy"].between(50, 100).all()
    assert found["gain"].notna().all()
    assert "27 runs." in said(at)
    assert "dataset" not in found


def test_every_column_explains_itself(visit: Visit, holes: Path) -> None:
    one, two = keys(holes)[:2]
    for chosen in (one, f"{one},{two}"):
        at = visit(holes, "runs", run=chosen, equal="true")
        for element in at.dataframe:
            columns = json.loads(element.proto.columns)
            unexplained = [name for name in element.value.columns if not columns[name].get("help")]
            assert not unexplained


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"methods": "gce"}, 9),
        ({"noises": "clean"}, 9),
        ({"seeds": "2"}, 9),
        ({"methods": "ce", "noises": "clean", "seeds": "0"}, 1),
        ({"status": "diverged"}, 1),
        ({"status": "missing"}, 4),
        ({"status": "oom"}, 0),
        ({"find": "epoch 3"}, 1),
        ({"find": "no such error"}, 0),
        ({"methods": "no such method"}, 27),
    ],
)
def test_filters_come_from_the_url(
    visit: Visit, said: Said, holes: Path, query: dict[str, str], number: int
) -> None:
    at = visit(holes, "runs", **query)
    if number:
        assert len(listed(at)) == number
    else:
        assert "No run matches this filter" in said(at)


def test_filters_go_into_the_url(visit: Visit, holes: Path) -> None:
    at = visit(holes, "runs")
    at.multiselect(key="methods").set_value(["ce", "gce"]).run()
    at.multiselect(key="noises").set_value(["clean"]).run()
    at.multiselect(key="seeds").set_value(["0", "2"]).run()
    at.multiselect(key="status").set_value(["done"]).run()
    found = listed(at)
    assert set(found["method"]) == {"ce", "gce"}
    assert set(found["seed"]) == {0, 2}
    assert len(found) == 3
    at.text_input(key="find").set_value(found["key"][1]).run()
    assert list(listed(at)["key"]) == [found["key"][1]]


def test_a_filter_that_leaves_nothing_can_be_cleared(visit: Visit, said: Said, holes: Path) -> None:
    at = visit(holes, "runs", status="oom", methods="ce", find="x")
    assert "No run matches this filter" in said(at)
    next(button for button in at.button if button.label == "Clear the filter").click().run()
    assert len(listed(at)) == 27


def test_orders(visit: Visit, full: Path) -> None:
    at = visit(full, "runs", order="lowest accuracy first")
    assert listed(at)["accuracy"].is_monotonic_increasing
    at.selectbox(key="order").set_value("highest accuracy first").run()
    assert listed(at)["accuracy"].is_monotonic_decreasing


def test_pages(visit: Visit, said: Said, full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_list, "PAGE", 10)
    at = visit(full, "runs")
    assert "Runs 1 to 10 of 27." in said(at)
    first = list(listed(at)["key"])
    linked = visit(full, "runs", list_page="3")
    assert "Runs 21 to 27 of 27." in said(linked)
    at.pagination(key="list_page").set_value(2).run()
    assert not set(first) & set(listed(at)["key"])
    at.multiselect(key="methods").set_value(["ce", "gce"]).run()
    assert "Runs 1 to 10 of 18 that match." in said(at)


def test_data_sets_are_told_apart_where_there_are_several(
    visit: Visit, make_database: MakeDatabase
) -> None:
    path = make_database(seeds=1, suite=SUITE.replace("[digits]", "[digits, cluttered-digits]"))
    at = visit(path, "runs")
    names = list(dict.fromkeys(listed(at)["dataset"]))
    assert len(names) == 2
    at.multiselect(key="datasets").set_value([names[1]]).run()
    assert "dataset" in listed(at)
    assert set(listed(at)["dataset"]) == {names[1]}
