"""The page of runs in every state that a board can be in."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_runs import SUITE, MakeDatabase
from page_parts import Said, Visit
from run_page_parts import keys, listed

from dashboard import runs_data


def test_nothing_is_run_yet(visit: Visit, said: Said, planned_only: Path) -> None:
    at = visit(planned_only, "runs")
    assert "Nothing is trained yet" in said(at)
    found = listed(at)
    assert set(found["status"]) == {"missing"}
    assert "gain" not in found
    assert "memory" not in found


def test_only_failures(visit: Visit, said: Said, only_failures: Path) -> None:
    at = visit(only_failures, "runs")
    assert "No training succeeded yet" in said(at)
    found = listed(at)
    assert set(found["status"]) == {"oom"}
    assert found["error"][0] == "out of memory at seed 0 <b>"
    at = visit(only_failures, "runs", run=found["key"][0])
    assert r"out of memory at seed 0 \<b\>" in [error.value for error in at.error]


def test_names_that_are_code_are_text(visit: Visit, said: Said, hostile: Path) -> None:
    first = visit(hostile, "runs")
    found = listed(first).drop_duplicates("method")
    assert "<script>alert(1)</script>" in set(found["method"])
    for chosen in (*found["key"], ",".join(found["key"])):
        at = visit(hostile, "runs", run=chosen)
        assert not at.error
        shown = [e.value for kind in ("markdown", "caption", "subheader") for e in at.get(kind)]
        assert not any("<script>" in text or "![a](" in text for text in shown)
        assert not any(element.allow_html for element in at.markdown)


def test_a_run_of_another_board_is_said(
    visit: Visit, said: Said, make_database: MakeDatabase
) -> None:
    path = make_database(seeds=1)
    key = keys(path, "gce")[0]
    make_database(
        seeds=1,
        path=path,
        suite=SUITE.replace("[ce, gce, co-teaching]", "[ce]")
        .replace("suite: tiny", "suite: other")
        .replace("epochs: 12", "epochs: 3"),
    )
    at = visit(path, "runs", run=key)
    assert f"This board does not ask for run {key}" in said(at)
    assert "seed **0**" in said(at)
    assert not at.error


def test_a_chart_that_fails_shows_its_error_and_nothing_else_breaks(
    visit: Visit, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.report import run_charts

    def broken(*_: object, **__: object) -> None:
        raise ValueError("made to fail")

    monkeypatch.setattr(run_charts, "curves", broken)
    at = visit(full, "runs", run=keys(full)[0])
    assert sum("made to fail" in error.value for error in at.error) == 4
    assert any("rank" in f.value for f in at.dataframe)
    assert len(listed(at)) == 27


def test_a_refiner_that_the_board_does_not_ask_for_is_not_taken_for_one_that_it_does() -> None:
    evaluations = [
        {"evaluation_key": "a", "refiner": "lip", "params": '{"k":3}', "test_accuracy": 0.1},
        {"evaluation_key": "b", "refiner": "lip", "params": "{}", "test_accuracy": 0.9},
        {"evaluation_key": "c", "refiner": "off", "params": "{}", "test_accuracy": 0.5},
    ]
    details = {"labels": {"b": "lip"}, "evaluations": evaluations}
    run = runs_data.Run("k", "ce", "digits", "clean", 0, True, details)
    assert [run.refiner(row) for row in evaluations] == ['lip {"k":3}', "lip", "off"]
    assert run.gain("lip") == pytest.approx(0.4)
    assert run.gain("psp") is None
