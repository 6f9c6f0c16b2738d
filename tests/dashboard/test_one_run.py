"""The page of one run, whatever became of it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from made_up_runs import MakeDatabase
from page_parts import Said, Visit
from run_page_parts import Fates, charts, headings, keys
from streamlit.testing.v1 import AppTest

from bench.records import Outcome
from bench.training_spec import TrainingSpec

SELECTION = ("selected_share", "selection_precision", "selection_recall")


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
