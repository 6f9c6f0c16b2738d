"""The page of what is done, failed and missing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from bench.plan import Plan, make_plan, only
from bench.records import Outcome
from bench.registry import Registry
from bench.runner import sort_out
from bench.spec import load_suite
from bench.store.database import open_reader
from bench.training_spec import TrainingSpec
from dashboard import coverage_tables
from dashboard.words import fill_command, only_name

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]
Synthetic = tuple[Callable[..., Outcome], Callable[..., Outcome]]

WITH_COMMA = """
suite: tiny
datasets: [digits]
noises: [clean, {pairflip: {rate: 0.4}}]
methods: [ce, {sce: {alpha: 0.5, beta: 2}}]
refiners: [off]
seeds: SEEDS
exclude: [{method: ce, noise: pairflip}]
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""


def table(at: AppTest, column: str) -> Any:
    """The first table that has this column."""
    return next(found.value for found in at.dataframe if column in found.value)


def map_rows(at: AppTest) -> int:
    """How many rows the map has: its height is steps."""
    spec = json.loads(at.get("vega_lite_chart")[-1].proto.spec)
    return len(spec["layer"][0]["encoding"]["y"]["sort"])


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def options_of(command: str) -> dict[str, set[str]]:
    """The filters of a command, as ``run`` reads them."""
    words = shlex.split(command)
    texts = [words[i + 1] for i, word in enumerate(words) if word == "--only"]
    return {axis: set(names.split(",")) for axis, _, names in (t.partition("=") for t in texts)}


def test_a_complete_board_says_so_and_lists_nothing(visit: Visit, said: Said, full: Path) -> None:
    at = visit(full, "coverage")
    assert "**Complete**: all 27 trainings are done" in said(at)
    assert metrics(at) == {
        "Done": "27 of 27",
        "Failed": "0",
        "Missing": "0",
        "Without a value": "0",
        "Cells left out": "0",
    }
    assert not at.dataframe
    assert not at.code
    assert len(at.get("vega_lite_chart")) == 2
    assert "9 cells: 9 done." in said(at)


def test_holes_are_counted_and_named_with_the_commands_that_fill_them(
    visit: Visit, said: Said, holes: Path
) -> None:
    at = visit(holes, "coverage")
    assert metrics(at)["Done"] == "22 of 27"
    assert (metrics(at)["Failed"], metrics(at)["Missing"]) == ("1", "4")
    text = said(at)
    assert "**4** were never tried and **1** failed at every try" in text
    assert "9 cells: 6 done, 1 partly done, 1 failed, 1 missing" in text
    missing = table(at, "seeds")
    assert missing[["method", "noise", "seeds", "trainings"]].values.tolist() == [
        ["gce", "clean", "2", 1],
        ["co-teaching", "pairflip 0.45", "0, 1, 2", 3],
    ]
    assert missing["command"][1] == (
        f"python -m bench run tiny.yaml --db {holes} --only method=co-teaching "
        "--only 'noise=pairflip 0.45'"
    )
    failed = table(at, "status")
    assert failed[["method", "noise", "seed", "status", "attempts"]].values.tolist() == [
        ["ce", "symmetric 0.5", 1, "diverged", 1]
    ]
    assert failed["error"][0] == "the loss is not finite in epoch 3"
    assert failed["command"][0].endswith("--only seed=1 --redo failed")
    codes = [code.value for code in at.code]
    assert f"python -m bench run tiny.yaml --db {holes}" in codes
    assert f"python -m bench run tiny.yaml --db {holes} --redo failed" in codes


def test_commands_run_exactly_what_is_missing(
    visit: Visit, holes: Path, tmp_path: Path, registry: Registry, data_dir: Path
) -> None:
    from made_up_runs import SUITE

    file = tmp_path / "tiny.yaml"
    file.write_text(SUITE.replace("SEEDS", "3"))
    plan = make_plan(load_suite(str(file), None, registry), registry, data_dir)
    at = visit(holes, "coverage")
    connection = open_reader(holes)
    for row in table(at, "seeds").to_dict("records"):
        wanted = list(only(plan, options_of(row["command"])))
        run = sort_out(connection, wanted).run
        assert {(t.method, t.noise.label) for t in run} == {(row["method"], row["noise"])}
        assert ", ".join(str(t.seed) for t in run) == row["seeds"]
    (row,) = table(at, "status").to_dict("records")
    (again,) = sort_out(connection, list(only(plan, options_of(row["command"]))), "failed").run
    assert (again.method, again.seed) == ("ce", 1)
    connection.close()


def test_filters_live_in_the_url_and_narrow_map_tables_and_commands(
    visit: Visit, said: Said, holes: Path
) -> None:
    at = visit(holes, "coverage", cover_method="co-teaching")
    assert map_rows(at) == 3
    assert table(at, "seeds")["method"].tolist() == ["co-teaching"]
    assert not any("status" in found.value for found in at.dataframe)
    assert f"python -m bench run tiny.yaml --db {holes} --only method=co-teaching" in [
        code.value for code in at.code
    ]
    clicked = visit(holes, "coverage")
    clicked.multiselect(key="cover_method").set_value(["co-teaching"]).run()
    assert not clicked.exception
    assert said(clicked) == said(at)
    both = visit(holes, "coverage", cover_method="gce", cover_noise="clean")
    assert "1 cell: 1 partly done" in said(both)
    assert "--only method=gce --only noise=clean" in both.code[0].value


def test_state_shows_only_what_holds_such_a_cell(visit: Visit, said: Said, holes: Path) -> None:
    at = visit(holes, "coverage", cover_state="failed")
    assert at.segmented_control(key="cover_state").value == "failed"
    assert "1 cell: 1 failed" in said(at)
    assert not any("seeds" in found.value for found in at.dataframe)
    assert table(at, "status")["method"].tolist() == ["ce"]
    at.segmented_control(key="cover_state").set_value("missing").run()
    assert "1 cell: 1 missing" in said(at)
    nothing = visit(holes, "coverage", cover_state="failed", cover_method="gce")
    assert "No cell is left by these filters" in said(nothing)


def test_nothing_done_still_says_what_is_missing(
    visit: Visit, said: Said, planned_only: Path
) -> None:
    at = visit(planned_only, "coverage")
    assert "27 trainings of 27 wait to be run" in said(at)
    assert metrics(at)["Missing"] == "27"
    assert len(table(at, "seeds")) == 9


def test_only_failures_are_listed_with_reasons_tries_and_traceback(
    visit: Visit,
    said: Said,
    make_database: Callable[..., Path],
    write_synthetic: Synthetic,
) -> None:
    _, ended = write_synthetic
    path = make_database(
        lambda spec: replace(
            ended(spec, "oom", f"no memory at seed {spec.seed} <b>"),
            traceback=f"Traceback of {spec.method}",
            log="runs/some/logs/x*y*.log",
        )
    )
    at = visit(path, "coverage")
    rows = table(at, "status")
    assert len(rows) == 27
    assert set(rows["status"]) == {"oom"}
    assert rows["error"][0] == "no memory at seed 0 <b>"
    assert "**27** failed at every try" in said(at)
    assert "Traceback of ce" in [code.value for code in at.code]
    box = at.selectbox(key="cover_failure")
    box.set_value(next(option for option in box.options if " gce " in option)).run()
    assert "Traceback of gce" in [code.value for code in at.code]
    assert r"runs/some/logs/x\*y\*.log" in said(at)


def test_evaluations_without_a_value_are_listed(visit: Visit, said: Said, refused: Path) -> None:
    at = visit(refused, "coverage")
    assert metrics(at)["Without a value"] == "27"
    assert "All 27 trainings are done. **27 evaluations** of finished trainings" in said(at)
    rows = table(at, "refiner")
    assert set(rows["refiner"]) == {"lip"}
    assert set(rows["error"]) == {"the head has rank 0"}
    assert at.code[0].value.endswith("--redo failed")
    assert "9 cells: 9 without a value" in said(at)


def test_refiners_that_were_never_tried_are_listed(
    visit: Visit, said: Said, make_database: Callable[..., Path], write_synthetic: Synthetic
) -> None:
    done, _ = write_synthetic

    def without_lip(spec: TrainingSpec) -> Outcome:
        outcome = done(spec)
        kept = tuple(e for e in outcome.evaluations if e.refiner != "lip" or spec.method != "ce")
        return replace(outcome, evaluations=kept)

    at = visit(make_database(without_lip), "coverage")
    assert metrics(at)["Without a value"] == "9"
    assert "**9 evaluations** that the plan asks for were never tried" in said(at)
    rows = table(at, "refiner")
    assert rows[["refiner", "method", "trainings"]].values.tolist() == [["lip", "ce", 3]] * 3


def test_cells_left_out_have_their_reasons_and_commands_know_commas(
    visit: Visit, said: Said, make_database: Callable[..., Path]
) -> None:
    at = visit(make_database(lambda spec: None, suite=WITH_COMMA, seeds=2), "coverage")
    assert metrics(at)["Cells left out"] == "1"
    assert table(at, "reason").values.tolist() == [
        ["ce", "pairflip 0.4", "digits", "excluded by the suite"]
    ]
    rows = table(at, "seeds").set_index("method")
    label = "sce(alpha=0.5, beta=2)"
    assert label in rows.index
    assert all("--only method=sce " in command for command in rows.loc[label, "command"])


def test_long_tables_show_their_first_rows_and_keep_all_in_the_file(
    visit: Visit, said: Said, only_failures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage_tables, "MOST_ROWS", 10)
    frames: dict[str, int] = {}
    show = coverage_tables.show_table

    def kept(shown: Any, title: str, *, csv: Any, **settings: Any) -> None:
        frames[title] = len(csv)
        show(shown, title, csv=csv, **settings)

    monkeypatch.setattr(coverage_tables, "show_table", kept)
    at = visit(only_failures, "coverage")
    assert len(table(at, "status")) == 10
    assert "The first 10 of 27 rows; 17 more are in the CSV." in said(at)
    assert frames == {"Failed trainings": 27}


def test_every_column_explains_itself(visit: Visit, holes: Path, refused: Path) -> None:
    for path in (holes, refused):
        at = visit(path, "coverage")
        assert at.dataframe
        for found in at.dataframe:
            columns = json.loads(found.proto.columns)
            assert not [name for name in found.value.columns if not columns[name].get("help")]


def test_an_empty_plan_is_said(
    visit: Visit, said: Said, make_database: Callable[..., Path]
) -> None:
    def nothing(plan: Plan) -> Plan:
        return replace(plan, trainings=(), excluded=())

    at = visit(make_database(change=nothing), "coverage")
    assert "The plan of this board is empty" in said(at)


def test_a_map_that_fails_shows_its_error_and_leaves_the_tables(
    visit: Visit, holes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no *width*")

    monkeypatch.setattr("bench.report.coverage_charts.coverage_map", broken)
    at = visit(holes, "coverage")
    assert at.error[0].value == r"The map could not be drawn: ZeroDivisionError: no \*width\*"
    assert len(table(at, "seeds")) == 2


def test_fill_command_quotes_and_names_files_of_own_suites() -> None:
    db = Path("/tmp/my results.db")  # noqa: S108
    assert fill_command("digits", "", Path("leaderboard.db")) == "python -m bench run digits"
    command = fill_command(
        "my own", "short", db, {"method": ["a;b", "ce", "ce"], "noise": ["$(x)"]}, "failed"
    )
    assert shlex.split(command) == [
        *("python", "-m", "bench", "run", "my own.yaml", "--budget", "short"),
        *("--db", str(db), "--only", "method=a;b,ce", "--only", "noise=$(x)"),
        *("--redo", "failed"),
    ]
    assert only_name("gce(q=0.5)", "gce") == "gce(q=0.5)"
    assert only_name("sce(a=1, b=2)", "sce") == "sce"
