"""Merging results of several machines: what agrees is one, what differs is kept twice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_runs import Fate, MakeDatabase, ended
from merge_case import (
    EPOCHS,
    HERE,
    RESULTS,
    SELECTIONS,
    here,
    is_odd,
    kept,
    merged,
    other_result,
    rows,
    there,
)

from bench.plan import Plan
from bench.records import EpochRecord, Outcome
from bench.store.database import open_reader, open_writer
from bench.training_spec import TrainingSpec


def test_results_that_agree_are_one_whatever_the_time_they_took(make_small: MakeDatabase) -> None:
    ours, theirs = make_small(here), make_small(there)
    before = [rows(ours, sql) for sql in (RESULTS, EPOCHS, SELECTIONS)]
    assert merged(ours, theirs).verdicts == {"more": 6}
    assert [rows(ours, sql) for sql in (RESULTS, EPOCHS, SELECTIONS)] == before
    assert kept(ours) == []


def test_every_attempt_keeps_the_environment_it_ran_in(make_small: MakeDatabase) -> None:
    ours, theirs = make_small(here), make_small(there)
    merged(ours, theirs)
    found = rows(
        ours,
        "SELECT a.attempt, e.cpu, a.wall_s, a.log, count(*) FROM attempts a "
        "JOIN environments e USING (environment_sha) GROUP BY 1, 2, 3, 4",
    )
    # A log is a path on the machine that wrote it, and names another file here.
    assert found == [(1, "CPU here", 1.5, "", 6), (2, "CPU there", 11.5, "", 6)]


def test_merging_again_changes_nothing(make_small: MakeDatabase) -> None:
    ours, theirs = make_small(here), make_small(other_result)
    merged(ours, theirs)
    tables = ("attempts", "evaluations", "conflicts", "board_members", "variants", "published")
    before = {table: rows(ours, f"SELECT * FROM {table}") for table in tables}
    assert merged(ours, theirs).verdicts == {"same": 5, "known conflict": 1}
    assert {table: rows(ours, f"SELECT * FROM {table}") for table in tables} == before


def test_a_result_that_differs_in_one_figure_is_a_conflict_and_ours_counts(
    make_small: MakeDatabase,
) -> None:
    ours, theirs = make_small(here), make_small(other_result)
    before = [rows(ours, sql) for sql in (RESULTS, EPOCHS, SELECTIONS)]
    assert merged(ours, theirs).verdicts == {"more": 5, "conflict": 1}
    assert [rows(ours, sql) for sql in (RESULTS, EPOCHS, SELECTIONS)] == before
    (conflict,) = kept(ours)
    assert (conflict.dataset, conflict.noise, conflict.method, conflict.seed) == (
        *("digits", "clean", "gce"),
        1,
    )
    assert conflict.theirs is not None
    assert conflict.ours is not None
    assert conflict.theirs - conflict.ours == pytest.approx(1e-4)
    assert conflict.of == "off"
    assert conflict.parts == ("off", "epoch 12")


def test_both_sides_of_a_conflict_keep_their_provenance(make_small: MakeDatabase) -> None:
    ours, theirs = make_small(here), make_small(other_result)
    merged(ours, theirs)
    (conflict,) = kept(ours)
    assert "CPU here" in conflict.our_environment
    assert "GPU there" in conflict.their_environment
    assert conflict.origin == theirs.name
    (attempt,) = conflict.record["attempts"]
    assert attempt["wall_s"] == 11.5
    with closing(open_reader(theirs)) as connection:
        stored = connection.execute(
            "SELECT test_accuracy FROM epochs JOIN trainings t ON t.id = training_id "
            "WHERE training_key = ? ORDER BY epoch",
            [conflict.training_key],
        ).fetchall()
    assert [epoch["test_accuracy"] for epoch in conflict.record["epochs"]] == [
        row[0] for row in stored
    ]


def test_show_says_that_another_machine_had_other_results(
    make_small: MakeDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench.cli import main

    ours, theirs = make_small(here), make_small(other_result)
    merged(ours, theirs)
    (conflict,) = kept(ours)

    def shown(key: str) -> str:
        monkeypatch.setattr(sys, "argv", ["bench", "show", key, "--db", str(ours)])
        assert main() == 0
        return " ".join(capsys.readouterr().out.split())

    with closing(open_reader(ours)) as connection:
        sql = "SELECT training_key FROM trainings WHERE training_key != ?"
        (other,) = connection.execute(sql, [conflict.training_key]).fetchone()
    said = "Another machine had other results for this training"
    assert said in shown(conflict.training_key)
    assert said not in shown(other)


def test_either_side_may_take_in_the_other(make_small: MakeDatabase) -> None:
    ours, theirs = make_small(here), make_small(other_result)
    accuracies = []
    for into, other in ((ours, theirs), (theirs, ours)):
        merged(into, other)
        (conflict,) = kept(into)
        accuracies.append((conflict.ours, conflict.theirs))
    assert accuracies[0] == accuracies[1][::-1]


def test_conflicts_of_the_other_side_come_along(make_small: MakeDatabase) -> None:
    first, second, third = (make_small(fate) for fate in (here, other_result, here))
    merged(first, second)
    assert merged(third, first).verdicts == {"more": 5, "same": 1, "conflict": 1}
    assert [c.conflict for c in kept(third)] == [c.conflict for c in kept(first)]


def test_a_conflict_that_the_other_side_keeps_may_be_our_own_result(
    make_small: MakeDatabase,
) -> None:
    first, second = make_small(here), make_small(other_result)
    merged(first, second)
    found = merged(second, first)
    assert found.verdicts == {"more": 5, "conflict": 1}
    (conflict,) = kept(second)
    assert "CPU here" in conflict.their_environment


def only(wanted: Callable[[TrainingSpec], bool], fate: Fate = there) -> Fate:
    """What became of some trainings; the others were not run."""
    return lambda spec: fate(spec) if wanted(spec) else None


def test_halves_of_a_suite_make_the_whole(make_small: MakeDatabase) -> None:
    ours = make_small(only(lambda spec: spec.method == "ce", here))
    theirs = make_small(only(lambda spec: spec.method != "ce", here))
    whole = make_small(here)
    assert merged(ours, theirs).verdicts == {"new": 3}
    for sql in (EPOCHS, SELECTIONS, "SELECT * FROM leaderboard", "SELECT * FROM gains"):
        assert rows(ours, sql) == rows(whole, sql)


def test_a_training_that_failed_here_takes_the_result_from_there(make_small: MakeDatabase) -> None:
    def failed(spec: TrainingSpec) -> Outcome:
        return ended(spec, "oom", environment=HERE) if is_odd(spec) else here(spec)

    ours, theirs = make_small(failed), make_small(there)
    assert merged(ours, theirs).verdicts == {"more": 5, "new": 1}
    statuses = rows(
        ours,
        "SELECT attempt, status FROM attempts WHERE training_id = "
        "(SELECT training_id FROM attempts WHERE status = 'oom')",
    )
    assert statuses == [(1, "oom"), (2, "done")]
    assert kept(ours) == []


def test_a_failure_elsewhere_takes_nothing_from_a_result_here(make_small: MakeDatabase) -> None:
    ours = make_small(here)
    theirs = make_small(lambda spec: ended(spec, "diverged"))
    before = [rows(ours, sql) for sql in (RESULTS, EPOCHS)]
    assert merged(ours, theirs).verdicts == {"more": 6}
    assert [rows(ours, sql) for sql in (RESULTS, EPOCHS)] == before
    assert rows(ours, "SELECT DISTINCT status FROM training_status") == [("done",)]


def test_a_refiner_that_only_the_other_side_ran_is_added(make_small: MakeDatabase) -> None:
    def without_psp(spec: TrainingSpec) -> Outcome:
        found = here(spec)
        kept_ones = tuple(e for e in found.evaluations if e.refiner != "psp")
        return replace(found, evaluations=kept_ones)

    ours, whole = make_small(without_psp), make_small(here)
    assert merged(ours, whole).verdicts == {"more": 6}
    assert rows(ours, RESULTS) == rows(whole, RESULTS)


def test_what_an_older_version_did_not_measure_is_no_conflict_and_is_filled_in(
    make_small: MakeDatabase,
) -> None:
    def measured(epoch: EpochRecord) -> EpochRecord:
        return replace(epoch, selected_share=0.5, selection_recall=0.25)

    def newer(spec: TrainingSpec) -> Outcome:
        found = there(spec)
        return replace(found, epochs=tuple(map(measured, found.epochs)))

    ours, theirs = make_small(here), make_small(newer)
    assert merged(ours, theirs).verdicts == {"more": 6}
    found = rows(ours, "SELECT DISTINCT selected_share, selection_precision FROM epochs")
    assert found == [(0.5, None)]


def test_a_board_that_is_not_here_comes_whole(make_small: MakeDatabase, tmp_path: Path) -> None:
    theirs = make_small(here)
    found = merged(tmp_path / "new.db", theirs)
    assert (found.new_boards, found.verdicts) == (1, {"new": 6})
    for table in ("boards", "board_trainings", "leaderboard", "gains", "artefacts", "plugins"):
        columns = "board, position, dataset, noise, noise_params, method, seed, cell"
        sql = f"SELECT {columns if table == 'board_trainings' else '*'} FROM {table}"
        assert rows(tmp_path / "new.db", sql) == rows(theirs, sql), table


def test_more_seeds_of_the_other_side_join_our_cells(make_small: MakeDatabase) -> None:
    ours, theirs = make_small(here, seeds=1), make_small(here, seeds=3)
    merged(ours, theirs)
    assert rows(ours, "SELECT DISTINCT seeds FROM leaderboard") == [(3,)]


def of_older_code(plan: Plan) -> Plan:
    """The plan as a version of GCE's code with another hash would have made it."""
    from bench.cell import evaluation_key, training_key

    def aged(training: TrainingSpec) -> TrainingSpec:
        if training.method != "gce":
            return training
        source = "0" * 64
        key = training_key(
            method={"name": "gce", "params": training.method_params, "source": source},
            fingerprint=training.fingerprint,
            artefact_sha=training.noise.artefact_sha,
            protocol=training.protocol,
            seed=training.seed,
        )
        refiners = tuple(
            replace(r, evaluation_key=evaluation_key(key, r.name, r.params, r.source_sha))
            for r in training.refiners
        )
        return replace(training, key=key, method_source_sha=source, refiners=refiners)

    return replace(plan, trainings=tuple(map(aged, plan.trainings)))


def test_two_versions_of_a_method_are_never_averaged(make_small: MakeDatabase) -> None:
    ours = make_small(here, seeds=2)
    theirs = make_small(there, seeds=3, change=of_older_code)
    before = rows(ours, "SELECT * FROM leaderboard WHERE method = 'gce'")
    found = merged(ours, theirs)
    assert rows(ours, "SELECT * FROM leaderboard WHERE method = 'gce'") == before
    # Three of older code have no place; they are kept.
    assert found.off_boards == 3
    (number,) = rows(ours, "SELECT count(*) FROM trainings WHERE method = 'gce'")
    assert number == (5,)


def test_published_figures_of_a_file_that_is_not_here_come_along(make_small: MakeDatabase) -> None:
    from bench.published.importing import SHIPPED, import_file

    ours, theirs = make_small(here), make_small(here)
    with open_writer(theirs) as db:
        import_file(db, min(SHIPPED, key=lambda path: path.stat().st_size))
    assert merged(ours, theirs).published == 1
    sql = "SELECT * FROM published"
    assert rows(ours, sql) == rows(theirs, sql) != []
