"""The page of runs: its filters, one run, several runs, and every state that they can be in."""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from bench.records import Environment, EpochRecord, Outcome, TrainingSpec
from bench.store.database import open_reader
from dashboard import run_list, runs_data, words

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]
MakeDatabase = Callable[..., Path]
Fates = tuple[Callable[..., Outcome], Callable[..., Outcome]]

SELECTION = ("selected_share", "selection_precision", "selection_recall")
HAS_SELECTION = set(SELECTION) <= {field.name for field in dataclasses.fields(EpochRecord)}


def listed(at: AppTest) -> Any:
    """The list of runs as a frame."""
    return at.dataframe(key="runs_table").value


def keys(db: Path, method: str = "ce", noise: str = "clean") -> list[str]:
    """Short keys of one cell, by seed."""
    with closing(open_reader(db)) as connection:
        rows = connection.execute(
            "SELECT t.training_key FROM board_trainings bt JOIN trainings t "
            "ON t.id = bt.training_id WHERE bt.method = ? AND bt.noise LIKE ? ORDER BY t.seed",
            [method, f"{noise}%"],
        )
        return [row[0][:8] for row in rows]


def charts(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart")]


def headings(at: AppTest) -> set[str]:
    return {line.strip("*") for line in (m.value for m in at.markdown) if line.startswith("**")}


def tables(at: AppTest) -> list[set[str]]:
    return [set(frame.value.columns) for frame in at.dataframe]


# The list


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
    from made_up_runs import SUITE

    path = make_database(seeds=1, suite=SUITE.replace("[digits]", "[digits, cluttered-digits]"))
    at = visit(path, "runs")
    names = list(dict.fromkeys(listed(at)["dataset"]))
    assert len(names) == 2
    at.multiselect(key="datasets").set_value([names[1]]).run()
    assert "dataset" in listed(at)
    assert set(listed(at)["dataset"]) == {names[1]}


# Choosing


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


# One run


def test_one_run_shows_everything(visit: Visit, said: Said, full: Path) -> None:
    key = keys(full, "gce", "symmetric")[1]
    at = visit(full, "runs", run=key)
    text = said(at)
    assert ":green-badge[:material/check: done]" in text
    assert f"digits · seed **1** · key {key}" in text
    labels = [metric.label for metric in at.metric]
    assert labels[:2] == ["Test accuracy", "Gain of lip"]
    assert {"Accuracy", "Memorisation", "Training loss", "Learning rate"} <= headings(at)
    assert "Selection" not in headings(at)
    assert len(charts(at)) == 4
    assert f"python -m bench show {key} --db {full}" in text
    assert "--only method=gce" in text
    assert f"--redo all --db {full}" in text
    evaluations = next(f.value for f in at.dataframe if "rank" in f.value)
    assert list(evaluations["refiner"]) == ["off", "lip", "psp"]
    assert evaluations["gain"].isna().tolist() == [True, False, False]


def test_curves_of_one_run_and_of_all_seeds(visit: Visit, said: Said, full: Path) -> None:
    key = keys(full)[0]
    at = visit(full, "runs", run=key)
    assert not any("detail" in layer["encoding"] for layer in charts(at)[0]["layer"])
    at.segmented_control(key="curves").set_value("all seeds").run()
    assert "their mean over 3 seeds of 3 planned" in said(at)
    assert any("detail" in layer["encoding"] for layer in charts(at)[0]["layer"])
    linked = visit(full, "runs", run=key, curves="all seeds")
    assert "their mean over 3 seeds" in said(linked)


def test_means_say_that_seeds_are_missing(visit: Visit, said: Said, holes: Path) -> None:
    at = visit(holes, "runs", run=keys(holes, "gce")[0], curves="all seeds")
    assert "their mean over 2 seeds of 3 planned" in said(at)


def test_one_seed_is_said(visit: Visit, said: Said, one_seed: Path) -> None:
    at = visit(one_seed, "runs", run=keys(one_seed)[0])
    assert "This cell has one seed" in said(at)
    assert not [c for c in at.segmented_control if c.key == "curves"]


def test_the_oracle_is_shown_only_on_demand(visit: Visit, full: Path) -> None:
    key = keys(full)[0]

    def selectors(at: AppTest) -> list[str]:
        return list(next(f.value for f in at.dataframe if "selector" in f.value)["selector"])

    at = visit(full, "runs", run=key)
    assert not any("oracle" in name for name in selectors(at))
    at.toggle(key="oracle_run").set_value(True).run()
    assert selectors(at)[-1] == "best test epoch: oracle, not ranked"
    assert selectors(visit(full, "runs", run=key, oracle_run="true")) == selectors(at)


def test_a_missing_run_says_how_to_run_it(visit: Visit, said: Said, holes: Path) -> None:
    at = visit(holes, "runs", run=keys(holes, "co-teaching", "pairflip")[0])
    text = said(at)
    assert ":gray-badge[:material/schedule: missing]" in text
    assert "planned and is not run yet" in text
    assert "python -m bench run tiny" in text
    assert not at.metric
    assert not charts(at)


def test_a_failed_run_says_why(visit: Visit, said: Said, holes: Path) -> None:
    at = visit(holes, "runs", run=keys(holes, "ce", "symmetric")[1])
    assert "the loss is not finite in epoch 3" in [error.value for error in at.error]
    assert ":red-badge[:material/error: diverged]" in said(at)
    attempts = next(f.value for f in at.dataframe if "attempt" in f.value)
    assert list(attempts["status"]) == ["diverged"]
    assert "ended before its environment was known" in said(at)


def test_a_traceback_is_text(
    visit: Visit, said: Said, make_database: MakeDatabase, write_synthetic: Fates
) -> None:
    _, ended = write_synthetic
    path = make_database(
        lambda spec: replace(ended(spec, "failed"), traceback="Traceback\n  <b>*x*</b>"), seeds=1
    )
    at = visit(path, "runs", run=keys(path)[0])
    assert "Traceback\n  <b>*x*</b>" in [code.value for code in at.code]


def test_refused_refiners_say_why(visit: Visit, refused: Path) -> None:
    at = visit(refused, "runs", run=keys(refused)[0])
    found = next(f.value for f in at.dataframe if "rank" in f.value).set_index("refiner")
    assert found.loc["lip", "error"] == "the head has rank 0"
    assert found["accuracy"].isna().tolist() == [False, True, False]
    assert "Gain of lip" not in [metric.label for metric in at.metric]


def test_values_that_are_no_numbers_leave_gaps(
    visit: Visit, said: Said, make_database: MakeDatabase, write_synthetic: Fates
) -> None:
    done, _ = write_synthetic

    def fate(spec: TrainingSpec) -> Outcome:
        outcome = done(spec)
        nothing = {"fit_given": None, "fit_true": None, "noisy_val_accuracy": None}
        return replace(
            outcome, epochs=tuple(replace(e, train_loss=None, **nothing) for e in outcome.epochs)
        )

    path = make_database(fate, seeds=1)
    at = visit(path, "runs", run=keys(path)[0])
    assert not at.error
    assert {"Accuracy", "Learning rate"} <= headings(at)
    assert not {"Memorisation", "Training loss"} & headings(at)
    assert "Noisy validation" not in [metric.label for metric in at.metric]


def test_selection_is_shown_where_a_method_selects(
    visit: Visit, said: Said, make_database: MakeDatabase, write_synthetic: Fates
) -> None:
    if not HAS_SELECTION:
        pytest.skip("this schema does not measure selection")
    done, _ = write_synthetic

    def fate(spec: TrainingSpec) -> Outcome:
        outcome = done(spec)
        if spec.method == "ce":
            return outcome
        values = dict.fromkeys(SELECTION, 0.75)
        return replace(outcome, epochs=tuple(replace(e, **values) for e in outcome.epochs))

    path = make_database(fate, seeds=1)
    at = visit(path, "runs", run=keys(path, "co-teaching")[0])
    assert "Selection" in headings(at)
    assert "Recall: the rightly labelled that it found" in said(at)
    assert "Selection" not in headings(visit(path, "runs", run=keys(path, "ce")[0]))
    both = visit(path, "runs", run=f"{keys(path, 'ce')[0]},{keys(path, 'gce')[0]}")
    assert {"Selection precision", "Selection recall"} <= headings(both)


def test_a_database_without_newer_columns_is_shown(
    visit: Visit, full: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(full)) as source, closing(sqlite3.connect(old)) as target:
        source.backup(target)
        there = {row[1] for row in target.execute("PRAGMA table_info(epochs)")}
        for column in {*SELECTION, "approximated_accuracy"} & there:
            target.execute(f"ALTER TABLE epochs DROP COLUMN {column}")
        target.commit()
    one, two = keys(old)[:2]
    for chosen in (one, f"{one},{two}"):
        at = visit(old, "runs", run=chosen)
        assert not at.error
        assert len(charts(at)) >= 4


def test_covering_sets_have_their_own_accuracy(
    visit: Visit, make_database: MakeDatabase, write_synthetic: Fates
) -> None:
    done, _ = write_synthetic

    def fate(spec: TrainingSpec) -> Outcome:
        outcome = done(spec)
        return replace(
            outcome, epochs=tuple(replace(e, approximated_accuracy=0.5) for e in outcome.epochs)
        )

    path = make_database(fate, seeds=1)
    at = visit(path, "runs", run=keys(path)[0])
    assert "approximated accuracy" in json.dumps(charts(at)[0])


# How it was made

COMPUTER = Environment(
    git_commit="abcdef012345",
    git_dirty=True,
    python="3.11.7",
    platform="Linux",
    cpu="EPYC",
    cores=2,
    accelerator="",
    packages={"torch": "2.14.1", "numpy": "2.4.6"},
)


@pytest.fixture(scope="module")
def machines(make_database: MakeDatabase) -> Path:
    """Seed 0 on a CPU with changed code, seed 1 on an accelerator; named logs are not there."""
    from made_up_runs import done

    gpu = replace(COMPUTER, git_dirty=False, accelerator="H100")

    def fate(spec: TrainingSpec) -> Outcome:
        outcome = replace(done(spec), log=f"runs/some/logs/{spec.key[:16]}.log")
        if spec.seed:
            return replace(outcome, environment=gpu, device="cuda:0", precision="bf16")
        return replace(outcome, environment=COMPUTER)

    return make_database(fate, seeds=2)


def test_environment_is_shown(visit: Visit, said: Said, machines: Path) -> None:
    at = visit(machines, "runs", run=keys(machines)[0], made="Environment")
    found = next(
        f.value.set_index("setting")["value"]
        for f in at.dataframe
        if "git_commit" in set(f.value.get("setting", []))
    )
    assert found["packages.torch"] == "2.14.1"
    assert found["git_dirty"] == "true"
    assert found["precision"] == "fp32"
    assert "changes that were not committed" in said(at)


def test_configuration_is_a_table_and_json(visit: Visit, full: Path) -> None:
    at = visit(full, "runs", run=keys(full)[0])
    found = next(
        f.value.set_index("setting")["value"]
        for f in at.dataframe
        if "protocol.epochs" in set(f.value.get("setting", []))
    )
    assert found["protocol.epochs"] == "12"
    assert found["method"] == "ce"
    assert json.loads(at.json[0].value)["protocol"]["epochs"] == 12


def test_a_log_that_is_not_there_says_where_it_would_be(
    visit: Visit, said: Said, machines: Path
) -> None:
    text = said(visit(machines, "runs", run=keys(machines)[0]))
    assert words.plain(str(machines.parent / "runs" / "some" / "logs")) in text
    assert "There is no such file" in text


def test_a_log_is_shown_as_text(visit: Visit, said: Said, machines: Path) -> None:
    key = keys(machines, "gce")[0]
    with closing(open_reader(machines)) as connection:
        (named,) = connection.execute(
            "SELECT log FROM attempts a JOIN trainings t ON t.id = a.training_id "
            "WHERE t.training_key LIKE ?",
            [f"{key}%"],
        ).fetchone()
    place = machines.parent / named
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("epoch 1\n<script>alert(1)</script>\n")
    assert "epoch 1\n<script>alert(1)</script>" in [
        code.value for code in visit(machines, "runs", run=key).code
    ]
    place.write_text("  \n")
    assert "The log is empty" in said(visit(machines, "runs", run=key))


def test_logs_outside_the_folder_of_the_database_are_not_read(tmp_path: Path) -> None:
    db = tmp_path / "in" / "some.db"
    (db.parent / "runs").mkdir(parents=True)
    secret = tmp_path / "secret.log"
    secret.write_text("secret")
    (db.parent / "runs" / "link.log").symlink_to(secret)
    (db.parent / "key.pem").write_text("secret")
    for named in (
        "../secret.log",
        str(secret),
        "runs/link.log",
        "key.pem",
        "runs/../../secret.log",
    ):
        found = runs_data.read_log(db, named)
        assert found.text is None
        assert "not read" in found.reason
    for named in ("", "runs", "runs/none.log", "a\0b.log", "x" * 5000 + ".log"):
        found = runs_data.read_log(db, named)
        assert found.text is None
        assert found.reason


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "runs" / "a.log"
    log.parent.mkdir()
    log.write_bytes(b"begin\n" + b"x" * runs_data.LOG_BYTES + b"\xff end")
    found = runs_data.read_log(tmp_path / "some.db", "runs/a.log")
    assert found.is_cut
    assert found.text is not None
    assert found.text.endswith("\N{REPLACEMENT CHARACTER} end")
    assert "begin" not in found.text
    assert len(found.text) == runs_data.LOG_BYTES


# Several runs


def test_a_comparison_shows_only_what_differs(visit: Visit, said: Said, full: Path) -> None:
    one, two = keys(full, "ce")[0], keys(full, "gce")[0]
    at = visit(full, "runs", run=f"{one},{two}")
    frame = next(f.value for f in at.dataframe if "part" in f.value)
    assert (frame["run0"] != frame["run1"]).all()
    rows = frame.set_index("setting")
    assert rows.loc["method", "run1"] == "gce"
    assert "protocol.epochs" not in rows.index
    assert "epochs" not in rows.index
    assert "In common: clean · digits · seed 0" in said(at)
    columns = json.loads(next(f for f in at.dataframe if "part" in f.value).proto.columns)
    assert columns["run0"]["label"] == f"ce · {one}"


def test_what_is_equal_is_shown_on_demand(visit: Visit, full: Path) -> None:
    chosen = ",".join(keys(full)[:2])
    at = visit(full, "runs", run=chosen)

    def rows(at: AppTest) -> set[str]:
        return set(next(f.value for f in at.dataframe if "part" in f.value)["setting"])

    few = rows(at)
    at.toggle(key="equal").set_value(True).run()
    assert rows(at) > few
    assert {"epochs", "optimiser.lr"} <= rows(at)
    assert rows(visit(full, "runs", run=chosen, equal="true")) == rows(at)


def test_curves_are_overlaid(visit: Visit, said: Said, full: Path) -> None:
    one, two = keys(full, "ce")[0], keys(full, "gce")[1]
    at = visit(full, "runs", run=f"{one},{two}")
    assert {"Test accuracy", "Fit to given labels", "Fit to true labels"} <= headings(at)
    domain = charts(at)[0]["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert domain == [f"ce · seed 0 · {one}", f"gce · seed 1 · {two}"]
    at.segmented_control(key="compared").set_value("all seeds").run()
    assert "their mean. 3 seeds each." in said(at)
    domain = charts(at)[0]["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert domain == ["ce", "gce"]


def test_two_seeds_of_one_cell_share_its_mean(visit: Visit, full: Path) -> None:
    at = visit(full, "runs", run=",".join(keys(full)[:2]), compared="all seeds")
    domain = charts(at)[0]["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert domain == ["ce"]


def test_other_hardware_is_said(visit: Visit, said: Said, machines: Path) -> None:
    one, two = keys(machines)
    text = said(visit(machines, "runs", run=f"{one},{two}"))
    assert (
        "The runs differ in accelerator, device and precision: differences within rounding" in text
    )
    assert "changes that were not committed" in text
    other = keys(machines, "gce")[1]
    assert "on the same hardware" in said(visit(machines, "runs", run=f"{two},{other}"))


def test_a_run_without_measurements_has_no_line(visit: Visit, said: Said, holes: Path) -> None:
    done, failed = keys(holes, "ce", "symmetric")[:2]
    at = visit(holes, "runs", run=f"{done},{failed}")
    assert "1 run without measurements: no line." in said(at)
    missing = keys(holes, "co-teaching", "pairflip")
    at = visit(holes, "runs", run=",".join(missing[:2]))
    assert "None of these runs has measurements" in said(at)
    assert not at.error


# States


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
    from made_up_runs import SUITE

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
