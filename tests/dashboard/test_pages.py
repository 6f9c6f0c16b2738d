"""What the pages show and how they answer, in process."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import app, words

PAGES = list(app.PAGES)

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]

SECOND = """
suite: second
datasets: [digits]
noises: [clean]
methods: [ce, elr]
refiners: [off]
seeds: SEEDS
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""


def table(at: AppTest) -> Any:
    """The first table, as numbers."""
    return at.dataframe[0].value


def charts(at: AppTest) -> list[Any]:
    """The charts."""
    return list(at.get("vega_lite_chart"))


def with_column(at: AppTest, name: str) -> Any:
    """The first table that has such a column."""
    return next(d.value for d in at.dataframe if name in d.value)


def test_leaderboard_ranks_methods_and_says_who_leads(visit: Visit, said: Said, full: Path) -> None:
    at = visit(full)
    shown = table(at)
    assert list(shown["method"]) == ["co-teaching", "gce", "ce"]
    assert list(shown["rank"]) == [1.0, 2.0, 3.0]
    assert shown["told"][0] == "rate, 2 nets"
    assert shown["block0"].is_monotonic_decreasing
    assert "**co-teaching** leads with an average rank of **1.00** over 3 noise columns" in said(at)
    assert "**27 of 27 trainings** done" in said(at)
    assert "suite **tiny**" in said(at)
    assert len(charts(at)) == 1


def test_refiner_switch_changes_the_table(visit: Visit, full: Path) -> None:
    at = visit(full)
    off = table(at)["mean"]
    at.segmented_control(key="refiner").set_value("lip").run()
    assert not at.exception
    assert (table(at)["mean"] != off).all()


def test_refiner_in_the_url_gives_the_same_view(visit: Visit, full: Path) -> None:
    clicked = visit(full)
    clicked.segmented_control(key="refiner").set_value("psp").run()
    linked = visit(full, refiner="psp")
    assert linked.segmented_control(key="refiner").value == "psp"
    assert table(linked).equals(table(clicked))


def test_url_names_the_board_so_that_links_last(
    visit: Visit, said: Said, make_database: Callable[..., Path]
) -> None:
    path = make_database()
    first = visit(path).query_params["board"]
    make_database(seeds=1, path=path, suite=SECOND)
    assert visit(path).query_params["board"] != first
    linked = visit(path, board=first)
    assert "suite **tiny**" in said(linked)
    assert linked.query_params["board"] == first


def test_boards_are_never_mixed(visit: Visit, make_database: Callable[..., Path]) -> None:
    path = make_database()
    make_database(seeds=1, path=path, suite=SECOND)
    at = visit(path)
    assert set(table(at)["method"]) == {"ce", "elr"}
    box = at.selectbox(key="board_choice")
    assert [option.split(" · ")[0] for option in box.options] == ["second", "tiny"]
    box.select_index(1).run()
    assert set(table(at)["method"]) == {"ce", "gce", "co-teaching"}


def test_a_board_that_is_not_there_is_said(visit: Visit, said: Said, full: Path) -> None:
    assert "names board deadbeef, which is not in this database" in said(
        visit(full, board="deadbeef")
    )


def test_oracle_is_marked_and_never_ranked(visit: Visit, full: Path) -> None:
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


def test_selector_changes_the_figures_and_none_is_an_oracle(visit: Visit, full: Path) -> None:
    at = visit(full)
    last = table(at)["mean"]
    box = at.selectbox(key="epoch")
    assert not any("oracle" in option for option in box.options)
    box.set_value("last 10 epochs").run()
    assert (table(at)["mean"] > last).all()


def test_gains_page_answers_in_words_and_names_the_worst_cell(
    visit: Visit, said: Said, full: Path
) -> None:
    at = visit(full, "gains")
    text = said(at)
    assert "**lip**" in text
    assert "over 9 cells, 95 % interval" in text
    summary = with_column(at, "refiner").set_index("refiner")
    assert set(summary.index) == {"lip", "psp"}
    assert summary.loc["lip", ["wins", "ties", "losses"]].sum() == 9
    assert words.points(summary.loc["lip", "worst"]) in text
    assert [chart.proto.alt.split(",")[0] for chart in charts(at)] == [
        "Gain of lip in every cell",
        "Accuracy of every method without and with lip",
        "Mean gain of lip and of the controls with 95 % intervals",
        "Test accuracy against k; seeds thin",
        "Noisy validation accuracy against k; seeds thin",
    ]


def test_gains_refiner_comes_from_the_url(visit: Visit, said: Said, full: Path) -> None:
    at = visit(full, "gains", gain="psp")
    assert at.segmented_control(key="gain").value == "psp"
    assert "**psp**" in said(at)


def test_k_curve_says_that_test_is_for_audit(visit: Visit, said: Said, full: Path) -> None:
    at = visit(full, "gains")
    cells = at.selectbox(key="cell").options
    assert len(cells) == 9
    linked = visit(full, "gains", cell=cells[-1])
    assert linked.selectbox(key="cell").value == cells[-1]
    assert "k was chosen without the test curve" in said(linked)


def test_reading_changes_nothing(visit: Visit, full: Path) -> None:
    before = hashlib.sha256(full.read_bytes()).hexdigest()
    for page in PAGES:
        visit(full, page)
    assert hashlib.sha256(full.read_bytes()).hexdigest() == before


def test_new_results_appear_in_an_open_page(
    visit: Visit,
    said: Said,
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


def test_database_comes_from_the_environment_or_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard import data

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIPBENCH_DB", raising=False)
    assert data.database() == Path("leaderboard.db")
    assert words.run_command("my suite", "short", data.database()) == (
        "python -m bench run 'my suite.yaml' --budget short"
    )
    monkeypatch.setenv("LIPBENCH_DB", os.devnull)
    assert data.database() == Path(os.devnull)


def test_a_server_listens_on_loopback_unless_it_is_told_otherwise() -> None:
    config = Path(app.__file__).parent / ".streamlit" / "config.toml"
    assert tomllib.loads(config.read_text())["server"]["address"] == "127.0.0.1"
