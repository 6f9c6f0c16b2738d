"""Every page on a database that is absent, empty, partial, failed, hostile or damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import app

PAGES = list(app.PAGES)

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]

WITH_EXCLUSION = """
suite: tiny
datasets: [digits]
noises: [clean, {pairflip: {rate: 0.4}}]
methods: [ce, elr]
refiners: [off]
seeds: SEEDS
exclude: [{method: elr, noise: pairflip}]
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""


def table(at: AppTest) -> Any:
    """The first table, as numbers."""
    return at.dataframe[0].value


def charts(at: AppTest) -> list[Any]:
    """The charts."""
    return list(at.get("vega_lite_chart"))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "state",
    [
        "full",
        "holes",
        "hostile",
        "planned_only",
        "only_failures",
        "one_seed",
        "refused",
        "empty",
        "newer",
    ],
)
def test_every_page_survives_every_state(
    visit: Visit, said: Said, request: pytest.FixtureRequest, page: str, state: str
) -> None:
    at = visit(request.getfixturevalue(state), page)
    assert len(at.header) == 1
    assert not at.error
    assert "nan" not in said(at).lower().replace("hostname", "")


def test_holes_are_shown_unranked_and_the_command_fills_them(
    visit: Visit, said: Said, holes: Path
) -> None:
    at = visit(holes, failed="true")
    shown = table(at)
    assert list(shown["method"]) == ["gce", "ce", "co-teaching"]
    assert shown["rank"].isna().tolist() == [False, False, True]
    assert shown["mean"].isna().tolist() == [False, False, True]
    text = said(at)
    assert "**1 of 9 cells is empty** (1 not run yet: co-teaching · pairflip 0.45)" in text
    assert "2 trainings of cells that have a result are missing too" in text
    assert "This runs the 4 trainings that wait:" in text
    assert f"python -m bench run tiny.yaml --db {holes}" in text
    assert "--redo failed" in text
    failed = next(d.value for d in at.dataframe if "status" in d.value)
    assert failed[["method", "status"]].values.tolist() == [["ce", "diverged"]]


def test_a_closed_part_says_how_much_is_in_it_and_is_made_when_it_is_opened(
    visit: Visit, holes: Path
) -> None:
    at = visit(holes)
    assert not any("status" in d.value for d in at.dataframe)
    assert "1 failed training" in next(e.label for e in at.expander if "failed" in e.label)
    at.session_state["failed"] = True
    at.run()
    assert any("status" in d.value for d in at.dataframe)


def test_cells_that_the_plan_leaves_out_are_said(
    visit: Visit, said: Said, make_database: Callable[..., Path]
) -> None:
    at = visit(make_database(suite=WITH_EXCLUSION), excluded="true")
    assert "(1 left out by the plan: elr · pairflip 0.4)" in said(at)
    assert table(at).set_index("method")["rank"].isna().to_dict() == {"ce": False, "elr": True}
    reasons = next(d.value for d in at.dataframe if "reason" in d.value)
    assert reasons[["method", "reason"]].values.tolist() == [["elr", "excluded by the suite"]]
    assert not at.code


def test_one_seed_is_said_in_words(visit: Visit, said: Said, one_seed: Path) -> None:
    text = said(visit(one_seed))
    assert "All cells have one seed only, and so no interval over seeds." in text
    assert "All cells have fewer than three seeds: differences there say little." in text
    assert "a single cell says little" in said(visit(one_seed, "gains"))


def test_nothing_done_gives_the_command(visit: Visit, said: Said, planned_only: Path) -> None:
    for page in PAGES:
        if page == "noise":
            continue
        text = said(visit(planned_only, page))
        assert "27 trainings of 27 wait to be run" in text
        assert "python -m bench run tiny" in text


def test_labels_are_shown_before_anything_is_trained(
    visit: Visit, said: Said, planned_only: Path
) -> None:
    text = said(visit(planned_only, "noise")).replace("*", "")
    assert "3 kinds of labels on 1 data set" in text
    assert "of the labels are wrong" in text


def test_only_failures_lists_reasons(visit: Visit, said: Said, only_failures: Path) -> None:
    at = visit(only_failures)
    assert "No training succeeded yet" in said(at)
    assert len(table(at)) == 27
    assert set(table(at)["error"]) == {f"out of memory at seed {seed} <b>" for seed in range(3)}


def test_refiner_without_a_value_is_listed_and_not_ranked(
    visit: Visit, said: Said, refused: Path
) -> None:
    at = visit(refused, refiner="lip", refused="true")
    assert "none is ranked" in said(at)
    reasons = next(d.value for d in at.dataframe if "error" in d.value)
    assert set(reasons["refiner"]) == {"lip"}
    assert set(reasons["error"]) == {"the head has rank 0"}
    assert "No evaluation of **lip** has a value here yet" in said(visit(refused, "gains"))


PARTS = ("failed", "refused", "excluded", "empty", "every", "hashes", "combinations")
"""Names of all parts that are made when they are opened."""


def test_names_from_the_database_are_text(visit: Visit, said: Said, hostile: Path) -> None:
    at = visit(hostile)
    assert set(table(at)["method"]) == {
        "<script>alert(1)</script>",
        "**x** $y$ :red[z]",
        "![a](http://b.invalid/c.png)",
    }
    for page in PAGES:
        at = visit(hostile, page, **dict.fromkeys(PARTS, "true"))
        for raw in ("<script", "**x**", "$y$", " :red[", "![", "# <b>", "*psp* `k`"):
            assert raw not in said(at).replace("\\" + raw[0], "")
        assert not any(element.allow_html for element in at.markdown)


def test_no_database_and_an_empty_one_say_what_to_type(
    visit: Visit, said: Said, tmp_path: Path, empty: Path
) -> None:
    absent = tmp_path / "none_*_here.db"
    for db in (absent, empty):
        for page in PAGES:
            at = visit(db, page)
            assert at.header[0].value == "No results yet"
            assert "python -m bench run digits" in said(at)
    assert not absent.exists()


def test_newer_database_is_refused_calmly(visit: Visit, newer: Path) -> None:
    at = visit(newer)
    assert "written by a newer LIPBench" in at.info[0].value
    assert not at.error


@pytest.mark.parametrize(
    "content", [b"not a database at all", b"SQLite format 3\x00" + b"\x07" * 99]
)
def test_a_file_that_is_no_database_is_refused_calmly(
    visit: Visit, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "some.db"
    path.write_bytes(content)
    at = visit(path)
    assert at.header[0].value == "This database cannot be shown"
    assert path.read_bytes() == content


def test_a_chart_that_fails_shows_its_error_in_its_place(
    visit: Visit, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no *width*")

    monkeypatch.setattr("bench.report.gain_charts.heat_map", broken)
    at = visit(full, "gains")
    assert at.error[0].value == (
        r"The heat map could not be drawn: ZeroDivisionError: no \*width\*"
    )
    assert len(charts(at)) == 4
