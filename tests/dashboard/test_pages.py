"""Every page on every state of a database, in process."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard import app, words

PAGES = list(app.PAGES)

SECOND = """
suite: second
datasets: [digits]
noises: [clean]
methods: [ce, elr]
refiners: [off]
seeds: SEEDS
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """``visit(db, page="leaderboard", **query)`` opens a page as a browser would."""

    def go(db: Path, page: str = "leaderboard", **query: str) -> AppTest:
        monkeypatch.setenv("LIPBENCH_DB", str(db))
        at = AppTest.from_file(app.__file__, default_timeout=60)
        at.query_params.update(query)
        # AppTest.switch_page knows pages that are files, and ours are functions.
        at._page_hash = calc_hash(page)
        at.run()
        assert not at.exception, at.exception[0].stack_trace
        return at

    return go


def said(at: AppTest) -> str:
    """Everything a page says outside its tables and charts."""
    kinds = ("header", "subheader", "markdown", "caption", "info", "warning", "error", "code")
    return "\n".join(element.value for kind in kinds for element in at.get(kind))


def table(at: AppTest) -> Any:
    """The first table, as numbers."""
    return at.dataframe[0].value


def specs(at: AppTest) -> list[dict[str, Any]]:
    """The charts, as Vega-Lite."""
    return [json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart")]


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
    visit: Callable[..., AppTest], request: pytest.FixtureRequest, page: str, state: str
) -> None:
    at = visit(request.getfixturevalue(state), page)
    assert len(at.header) == 1
    assert not at.error
    assert "nan" not in said(at).lower().replace("hostname", "")


def test_leaderboard_ranks_methods_and_says_who_leads(
    visit: Callable[..., AppTest], full: Path
) -> None:
    at = visit(full)
    shown = table(at)
    assert list(shown["method"]) == ["co-teaching", "gce", "ce"]
    assert list(shown["rank"]) == [1.0, 2.0, 3.0]
    assert shown["told"][0] == "rate, 2 nets"
    assert shown["block0"].is_monotonic_decreasing
    assert "**co-teaching** leads with an average rank of **1.00** over 3 noise columns" in said(at)
    assert "**27 of 27 trainings** done" in said(at)
    assert "suite **tiny**" in said(at)
    assert len(specs(at)) == 1


def test_refiner_switch_changes_the_table(visit: Callable[..., AppTest], full: Path) -> None:
    at = visit(full)
    off = table(at)["mean"]
    at.segmented_control(key="refiner").set_value("lip").run()
    assert not at.exception
    assert (table(at)["mean"] != off).all()


def test_refiner_in_the_url_gives_the_same_view(visit: Callable[..., AppTest], full: Path) -> None:
    clicked = visit(full)
    clicked.segmented_control(key="refiner").set_value("psp").run()
    linked = visit(full, refiner="psp")
    assert linked.segmented_control(key="refiner").value == "psp"
    assert table(linked).equals(table(clicked))


def test_url_names_the_board_so_that_links_last(
    visit: Callable[..., AppTest], make_database: Callable[..., Path]
) -> None:
    path = make_database()
    first = visit(path).query_params["board"]
    make_database(seeds=1, path=path, suite=SECOND)
    assert visit(path).query_params["board"] != first
    linked = visit(path, board=first)
    assert "suite **tiny**" in said(linked)
    assert linked.query_params["board"] == first


def test_boards_are_never_mixed(
    visit: Callable[..., AppTest], make_database: Callable[..., Path]
) -> None:
    path = make_database()
    make_database(seeds=1, path=path, suite=SECOND)
    at = visit(path)
    assert set(table(at)["method"]) == {"ce", "elr"}
    box = at.selectbox(key="board_choice")
    assert [option.split(" · ")[0] for option in box.options] == ["second", "tiny"]
    box.select_index(1).run()
    assert set(table(at)["method"]) == {"ce", "gce", "co-teaching"}


def test_a_board_that_is_not_there_is_said(visit: Callable[..., AppTest], full: Path) -> None:
    assert "names board deadbeef, which is not in this database" in said(
        visit(full, board="deadbeef")
    )


def test_holes_are_shown_unranked_and_the_command_fills_them(
    visit: Callable[..., AppTest], holes: Path
) -> None:
    at = visit(holes)
    shown = table(at)
    assert list(shown["method"]) == ["gce", "ce", "co-teaching"]
    assert shown["rank"].isna().tolist() == [False, False, True]
    assert shown["mean"].isna().tolist() == [False, False, True]
    text = said(at)
    assert "**1 of 9 cells is empty** (1 not run yet: co-teaching · pairflip 0.45)" in text
    assert "2 trainings of cells that have a result are missing too" in text
    assert "This runs the 4 trainings that wait:" in text
    assert f"python -m bench run tiny --db {holes}" in text
    assert "--redo failed" in text
    failed = next(d.value for d in at.dataframe if "status" in d.value)
    assert failed[["method", "status"]].values.tolist() == [["ce", "diverged"]]


def test_oracle_is_marked_and_never_ranked(visit: Callable[..., AppTest], full: Path) -> None:
    at = visit(full)
    assert "oracle" not in table(at)
    before = table(at)[["rank", "mean"]]
    at.toggle(key="oracle").set_value(True).run()
    shown = table(at)
    assert (shown["oracle"] > shown["mean"]).all()
    assert shown[["rank", "mean"]].equals(before)
    columns = json.loads(at.dataframe[0].proto.columns)
    assert columns["oracle"]["label"] == "oracle, not ranked"
    assert "uses test labels" in columns["oracle"]["help"]


def test_selector_changes_the_figures_and_none_is_an_oracle(
    visit: Callable[..., AppTest], full: Path
) -> None:
    at = visit(full)
    last = table(at)["mean"]
    box = at.selectbox(key="epoch")
    assert not any("oracle" in option for option in box.options)
    box.set_value("last 10 epochs").run()
    assert (table(at)["mean"] > last).all()


def test_every_column_explains_itself(visit: Callable[..., AppTest], full: Path) -> None:
    for page in PAGES:
        at = visit(full, page)
        columns = json.loads(at.dataframe[0].proto.columns)
        unexplained = [name for name in table(at).columns if not columns[name].get("help")]
        assert not unexplained


def test_one_seed_is_said_in_words(visit: Callable[..., AppTest], one_seed: Path) -> None:
    assert "only 1 seed: no interval can be given" in said(visit(one_seed))
    assert "a single cell says little" in said(visit(one_seed, "gains"))


def test_nothing_done_gives_the_command(visit: Callable[..., AppTest], planned_only: Path) -> None:
    for page in PAGES:
        text = said(visit(planned_only, page))
        assert "27 trainings of 27 wait to be run" in text
        assert "python -m bench run tiny" in text


def test_only_failures_lists_reasons(visit: Callable[..., AppTest], only_failures: Path) -> None:
    at = visit(only_failures)
    assert "No training succeeded yet" in said(at)
    assert len(table(at)) == 27
    assert set(table(at)["error"]) == {f"out of memory at seed {seed} <b>" for seed in range(3)}


def test_refiner_without_a_value_is_listed_and_not_ranked(
    visit: Callable[..., AppTest], refused: Path
) -> None:
    at = visit(refused, refiner="lip")
    assert "none is ranked" in said(at)
    reasons = next(d.value for d in at.dataframe if "error" in d.value)
    assert set(reasons["refiner"]) == {"lip"}
    assert set(reasons["error"]) == {"the head has rank 0"}
    assert "No evaluation of **lip** has a value yet" in said(visit(refused, "gains"))


def test_gains_page_answers_in_words_and_names_the_worst_cell(
    visit: Callable[..., AppTest], full: Path
) -> None:
    at = visit(full, "gains")
    text = said(at)
    assert "**lip**" in text
    assert "over 9 cells, 95 % interval" in text
    summary = table(at).set_index("refiner")
    assert set(summary.index) == {"lip", "psp"}
    assert summary.loc["lip", ["wins", "ties", "losses"]].sum() == 9
    assert words.points(summary.loc["lip", "worst"]) in text
    assert len(specs(at)) == 4


def test_gains_refiner_comes_from_the_url(visit: Callable[..., AppTest], full: Path) -> None:
    at = visit(full, "gains", gain="psp")
    assert at.segmented_control(key="gain").value == "psp"
    assert "**psp**" in said(at)


def test_k_curve_says_that_test_is_for_audit(visit: Callable[..., AppTest], full: Path) -> None:
    at = visit(full, "gains")
    cells = at.selectbox(key="cell").options
    assert len(cells) == 9
    linked = visit(full, "gains", cell=cells[-1])
    assert linked.selectbox(key="cell").value == cells[-1]
    assert "k was chosen without the test curve" in said(linked)


def test_names_from_the_database_are_text(visit: Callable[..., AppTest], hostile: Path) -> None:
    at = visit(hostile)
    assert set(table(at)["method"]) == {
        "<script>alert(1)</script>",
        "**x** $y$ :red[z]",
        "![a](http://b.invalid/c.png)",
    }
    for page in PAGES:
        at = visit(hostile, page)
        for raw in ("<script", "**x**", "$y$", " :red[", "![", "# <b>", "*psp* `k`"):
            assert raw not in said(at).replace("\\" + raw[0], "")
        assert not any(element.allow_html for element in at.markdown)


def test_no_database_and_an_empty_one_say_what_to_type(
    visit: Callable[..., AppTest], tmp_path: Path, empty: Path
) -> None:
    absent = tmp_path / "none_*_here.db"
    for db in (absent, empty):
        for page in PAGES:
            at = visit(db, page)
            assert at.header[0].value == "No results yet"
            assert "python -m bench run digits" in said(at)
    assert not absent.exists()


def test_newer_database_is_refused_calmly(visit: Callable[..., AppTest], newer: Path) -> None:
    at = visit(newer)
    assert "written by a newer LIPBench" in at.info[0].value
    assert not at.error


@pytest.mark.parametrize(
    "content", [b"not a database at all", b"SQLite format 3\x00" + b"\x07" * 99]
)
def test_a_file_that_is_no_database_is_refused_calmly(
    visit: Callable[..., AppTest], tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "some.db"
    path.write_bytes(content)
    at = visit(path)
    assert at.header[0].value == "This database cannot be shown"
    assert path.read_bytes() == content


def test_reading_changes_nothing(visit: Callable[..., AppTest], full: Path) -> None:
    before = hashlib.sha256(full.read_bytes()).hexdigest()
    for page in PAGES:
        visit(full, page)
    assert hashlib.sha256(full.read_bytes()).hexdigest() == before


def test_new_results_appear_in_an_open_page(
    visit: Callable[..., AppTest],
    make_database: Callable[..., Path],
    write_synthetic: tuple[Callable[..., Any], Callable[..., Any]],
) -> None:
    done, _ = write_synthetic
    path = make_database(lambda spec: done(spec) if spec.seed == 0 else None)
    at = visit(path)
    assert "**9 of 27 trainings** done" in said(at)
    make_database(path=path)
    at.run()
    assert "**27 of 27 trainings** done" in said(at)


def test_a_chart_that_fails_shows_its_error_in_its_place(
    visit: Callable[..., AppTest], full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no *width*")

    monkeypatch.setattr("dashboard.charts.heat_map", broken)
    at = visit(full, "gains")
    assert at.error[0].value == (
        r"The heat map could not be drawn: ZeroDivisionError: no \*width\*"
    )
    assert len(specs(at)) == 3


def test_database_comes_from_the_environment_or_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard import data

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIPBENCH_DB", raising=False)
    assert data.database() == Path("leaderboard.db")
    assert words.run_command("my suite", "short", data.database()) == (
        "python -m bench run 'my suite' --budget short"
    )
    monkeypatch.setenv("LIPBENCH_DB", os.devnull)
    assert data.database() == Path(os.devnull)
