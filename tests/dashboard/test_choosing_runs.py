"""Runs are chosen by a row, by their keys, or by an address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from page_parts import Said, Visit
from run_page_parts import keys, listed

from dashboard import run_list, words


def test_a_chosen_run_is_a_selected_row(visit: Visit, full: Path) -> None:
    key = keys(full, "gce", "pairflip")[1]
    at = visit(full, "runs", run=key)
    rows = at.session_state["runs_table"]["selection"]["rows"]
    assert [listed(at)["key"][row] for row in rows] == [key]


def test_selected_rows_go_into_the_url_and_others_stay(
    visit: Visit, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, Any] = {
        run_list.RUN: "aaaaaaaa,bbbbbb,cccccccc",
        run_list.TABLE: {"selection": {"rows": [2, 0]}},
    }
    monkeypatch.setattr(run_list.st, "session_state", state)
    # cccccccc was selected on this page and is not any more; aaaaaaaa is on another page.
    run_list._choose(["bbbbbbbb", "cccccccc", "dddddddd"])
    assert state[run_list.RUN] == "aaaaaaaa,bbbbbb,dddddddd"


def test_keys_may_be_typed_in_any_form(visit: Visit, full: Path) -> None:
    one, two = keys(full)[:2]
    at = visit(full, "runs")
    at.text_input(key="run").set_value(f" {one.upper()},  {two[:6]} {one}").run()
    assert not at.exception
    assert "2 runs compared" in [element.value for element in at.subheader]
    next(button for button in at.button if button.label == "Show none").click().run()
    assert not at.subheader


def test_keys_of_nothing_and_of_several_are_said(visit: Visit, said: Said, full: Path) -> None:
    at = visit(full, "runs", run="zzzz")
    assert "no training starts with 'zzzz'" in said(at)
    first = {key[0] for key in listed(at)["key"]}
    counts = {digit: sum(key[0] == digit for key in listed(at)["key"]) for digit in first}
    several = next(digit for digit, number in counts.items() if number > 1)
    assert f"several trainings start with '{several}'" in said(visit(full, "runs", run=several))


def test_no_more_than_eight_are_compared(visit: Visit, said: Said, full: Path) -> None:
    chosen = [key for noise in ("clean", "symm", "pair") for key in keys(full, "ce", noise)]
    at = visit(full, "runs", run=",".join(chosen))
    assert "9 runs are chosen; the first 8 are compared" in said(at)
    assert "8 runs compared" in said(at)


def test_the_cell_of_a_run_can_be_listed(visit: Visit, full: Path) -> None:
    at = visit(full, "runs", run=keys(full, "gce")[0])
    next(button for button in at.button if button.label == "List its cell").click().run()
    assert set(listed(at)["key"]) == set(keys(full, "gce"))


def test_the_address_of_a_run_opens_it(visit: Visit, said: Said, full: Path) -> None:
    from dashboard.data import boards

    board = boards(full)[0]
    key = keys(full, "gce")[2]
    address = words.run_address(board, key + "0" * 56)
    assert re.fullmatch(r"/runs\?board=[0-9a-f]{8}&run=[0-9a-f]{8}", address)
    query = dict(part.split("=") for part in address.partition("?")[2].split("&"))
    assert f"seed **2** · key {key}" in said(visit(full, "runs", **query))
