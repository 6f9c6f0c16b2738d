"""Merging results of several machines: what agrees is one, what differs is kept twice."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import Fate, MakeDatabase, done, ended

from bench.errors import StoreError
from bench.plan import Plan
from bench.records import Environment, EpochRecord, Outcome, TrainingSpec
from bench.store import conflicts
from bench.store.check import problems
from bench.store.conflict_list import Conflict, listed
from bench.store.database import open_reader, open_writer
from bench.store.merge import Merged, merge

SMALL = """
suite: tiny
datasets: [digits]
noises: [clean]
methods: [ce, gce]
refiners: [off, lip, psp]
seeds: SEEDS
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 12, batch_size: 256}
"""
"""Six trainings at three seeds."""

HERE = Environment("a" * 40, False, "3.11.7", "Linux", "CPU here", 2, "", {"torch": "2.6.0"})
THERE = replace(HERE, git_commit="b" * 40, cpu="CPU there", accelerator="GPU there")


@pytest.fixture(scope="module")
def templates() -> dict[tuple[object, ...], Path]:
    """Databases that were made before, by what they were made of."""
    return {}


@pytest.fixture
def make(
    make_database: MakeDatabase, templates: dict[tuple[object, ...], Path], tmp_path: Path
) -> MakeDatabase:
    """As ``make_database``, of the small suite; each call gives a file of its own."""
    numbers = count(1)

    def copy(fate: Fate, **options: Any) -> Path:
        key = (fate, *sorted(options.items()))
        if key not in templates:
            templates[key] = make_database(fate, suite=SMALL, **options)
        return Path(shutil.copy(templates[key], tmp_path / f"made-{next(numbers)}.db"))

    return copy


def here(spec: TrainingSpec) -> Outcome:
    """A result of this machine."""
    return replace(done(spec), environment=HERE)


def there(spec: TrainingSpec) -> Outcome:
    """The same result of another machine, which took longer."""
    found = done(spec)
    return replace(
        found,
        environment=THERE,
        wall_s=found.wall_s + 10,
        started_at="2026-01-03T00:00:00+00:00",
        log="runs/there/logs/some.log",
        epochs=tuple(replace(epoch, wall_s=epoch.wall_s + 1) for epoch in found.epochs),
        evaluations=tuple(replace(e, wall_s=e.wall_s + 1) for e in found.evaluations),
    )


def is_odd(spec: TrainingSpec) -> bool:
    """The one training on which machines differ in these tests."""
    return (spec.method, spec.noise.name, spec.seed) == ("gce", "clean", 1)


def other_result(spec: TrainingSpec) -> Outcome:
    """As ``there``; one training ended a ten-thousandth better at the last epoch."""
    found = there(spec)
    if not is_odd(spec):
        return found
    last = replace(found.epochs[-1], test_accuracy=found.epochs[-1].test_accuracy + 1e-4)
    off = replace(found.evaluations[0], test_accuracy=last.test_accuracy)
    return replace(
        found,
        epochs=(*found.epochs[:-1], last),
        evaluations=(off, *found.evaluations[1:]),
    )


def merged(into: Path, other: Path) -> Merged:
    """Merge and say what it came to."""
    with open_writer(into) as db, closing(open_reader(other)) as connection:
        return merge(db, connection, other.name)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a query finds in a database."""
    with closing(open_reader(path)) as connection:
        return sorted((tuple(row) for row in connection.execute(sql)), key=repr)


RESULTS = "SELECT * FROM results"
EPOCHS = """
SELECT t.training_key, e.epoch, e.train_loss, e.test_accuracy, e.wall_s
FROM epochs e JOIN trainings t ON t.id = e.training_id
"""
SELECTIONS = """
SELECT t.training_key, s.selector, s.epoch, s.test_accuracy
FROM selections s JOIN trainings t ON t.id = s.training_id
"""


def kept(path: Path) -> list[Conflict]:
    """Conflicts of a database."""
    with closing(open_reader(path)) as connection:
        assert problems(connection) == []
        return listed(connection)


def test_results_that_agree_are_one_whatever_the_time_they_took(make: MakeDatabase) -> None:
    ours, theirs = make(here), make(there)
    before = [rows(ours, sql) for sql in (RESULTS, EPOCHS, SELECTIONS)]
    assert merged(ours, theirs).verdicts == {"more": 6}
    assert [rows(ours, sql) for sql in (RESULTS, EPOCHS, SELECTIONS)] == before
    assert kept(ours) == []


def test_every_attempt_keeps_the_environment_it_ran_in(make: MakeDatabase) -> None:
    ours, theirs = make(here), make(there)
    merged(ours, theirs)
    found = rows(
        ours,
        "SELECT a.attempt, e.cpu, a.wall_s, a.log, count(*) FROM attempts a "
        "JOIN environments e USING (environment_sha) GROUP BY 1, 2, 3, 4",
    )
    # A log is a path on the machine that wrote it, and names another file here.
    assert found == [(1, "CPU here", 1.5, "", 6), (2, "CPU there", 11.5, "", 6)]


def test_merging_again_changes_nothing(make: MakeDatabase) -> None:
    ours, theirs = make(here), make(other_result)
    merged(ours, theirs)
    tables = ("attempts", "evaluations", "conflicts", "board_members", "variants", "published")
    before = {table: rows(ours, f"SELECT * FROM {table}") for table in tables}
    assert merged(ours, theirs).verdicts == {"same": 5, "known conflict": 1}
    assert {table: rows(ours, f"SELECT * FROM {table}") for table in tables} == before


def test_a_result_that_differs_in_one_figure_is_a_conflict_and_ours_counts(
    make: MakeDatabase,
) -> None:
    ours, theirs = make(here), make(other_result)
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


def test_both_sides_of_a_conflict_keep_their_provenance(make: MakeDatabase) -> None:
    ours, theirs = make(here), make(other_result)
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
    make: MakeDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench.cli import main

    ours, theirs = make(here), make(other_result)
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


def test_either_side_may_take_in_the_other(make: MakeDatabase) -> None:
    ours, theirs = make(here), make(other_result)
    accuracies = []
    for into, other in ((ours, theirs), (theirs, ours)):
        merged(into, other)
        (conflict,) = kept(into)
        accuracies.append((conflict.ours, conflict.theirs))
    assert accuracies[0] == accuracies[1][::-1]


def test_conflicts_of_the_other_side_come_along(make: MakeDatabase) -> None:
    first, second, third = (make(fate) for fate in (here, other_result, here))
    merged(first, second)
    assert merged(third, first).verdicts == {"more": 5, "same": 1, "conflict": 1}
    assert [c.conflict for c in kept(third)] == [c.conflict for c in kept(first)]


def test_a_conflict_that_the_other_side_keeps_may_be_our_own_result(make: MakeDatabase) -> None:
    first, second = make(here), make(other_result)
    merged(first, second)
    found = merged(second, first)
    assert found.verdicts == {"more": 5, "conflict": 1}
    (conflict,) = kept(second)
    assert "CPU here" in conflict.their_environment


def only(wanted: Callable[[TrainingSpec], bool], fate: Fate = there) -> Fate:
    """What became of some trainings; the others were not run."""
    return lambda spec: fate(spec) if wanted(spec) else None


def test_halves_of_a_suite_make_the_whole(make: MakeDatabase) -> None:
    ours = make(only(lambda spec: spec.method == "ce", here))
    theirs = make(only(lambda spec: spec.method != "ce", here))
    whole = make(here)
    assert merged(ours, theirs).verdicts == {"new": 3}
    for sql in (EPOCHS, SELECTIONS, "SELECT * FROM leaderboard", "SELECT * FROM gains"):
        assert rows(ours, sql) == rows(whole, sql)


def test_a_training_that_failed_here_takes_the_result_from_there(make: MakeDatabase) -> None:
    def failed(spec: TrainingSpec) -> Outcome:
        return ended(spec, "oom", environment=HERE) if is_odd(spec) else here(spec)

    ours, theirs = make(failed), make(there)
    assert merged(ours, theirs).verdicts == {"more": 5, "new": 1}
    statuses = rows(
        ours,
        "SELECT attempt, status FROM attempts WHERE training_id = "
        "(SELECT training_id FROM attempts WHERE status = 'oom')",
    )
    assert statuses == [(1, "oom"), (2, "done")]
    assert kept(ours) == []


def test_a_failure_elsewhere_takes_nothing_from_a_result_here(make: MakeDatabase) -> None:
    ours = make(here)
    theirs = make(lambda spec: ended(spec, "diverged"))
    before = [rows(ours, sql) for sql in (RESULTS, EPOCHS)]
    assert merged(ours, theirs).verdicts == {"more": 6}
    assert [rows(ours, sql) for sql in (RESULTS, EPOCHS)] == before
    assert rows(ours, "SELECT DISTINCT status FROM training_status") == [("done",)]


def test_a_refiner_that_only_the_other_side_ran_is_added(make: MakeDatabase) -> None:
    def without_psp(spec: TrainingSpec) -> Outcome:
        found = here(spec)
        kept_ones = tuple(e for e in found.evaluations if e.refiner != "psp")
        return replace(found, evaluations=kept_ones)

    ours, whole = make(without_psp), make(here)
    assert merged(ours, whole).verdicts == {"more": 6}
    assert rows(ours, RESULTS) == rows(whole, RESULTS)


def test_what_an_older_version_did_not_measure_is_no_conflict_and_is_filled_in(
    make: MakeDatabase,
) -> None:
    def measured(epoch: EpochRecord) -> EpochRecord:
        return replace(epoch, selected_share=0.5, selection_recall=0.25)

    def newer(spec: TrainingSpec) -> Outcome:
        found = there(spec)
        return replace(found, epochs=tuple(map(measured, found.epochs)))

    ours, theirs = make(here), make(newer)
    assert merged(ours, theirs).verdicts == {"more": 6}
    found = rows(ours, "SELECT DISTINCT selected_share, selection_precision FROM epochs")
    assert found == [(0.5, None)]


def test_a_board_that_is_not_here_comes_whole(make: MakeDatabase, tmp_path: Path) -> None:
    theirs = make(here)
    found = merged(tmp_path / "new.db", theirs)
    assert (found.new_boards, found.verdicts) == (1, {"new": 6})
    for table in ("boards", "board_trainings", "leaderboard", "gains", "artefacts", "plugins"):
        columns = "board, position, dataset, noise, noise_params, method, seed, cell"
        sql = f"SELECT {columns if table == 'board_trainings' else '*'} FROM {table}"
        assert rows(tmp_path / "new.db", sql) == rows(theirs, sql), table


def test_more_seeds_of_the_other_side_join_our_cells(make: MakeDatabase) -> None:
    ours, theirs = make(here, seeds=1), make(here, seeds=3)
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


def test_two_versions_of_a_method_are_never_averaged(make: MakeDatabase) -> None:
    ours = make(here, seeds=2)
    theirs = make(there, seeds=3, change=of_older_code)
    before = rows(ours, "SELECT * FROM leaderboard WHERE method = 'gce'")
    found = merged(ours, theirs)
    assert rows(ours, "SELECT * FROM leaderboard WHERE method = 'gce'") == before
    # Three of older code have no place; they are kept.
    assert found.off_boards == 3
    (number,) = rows(ours, "SELECT count(*) FROM trainings WHERE method = 'gce'")
    assert number == (5,)


def test_published_figures_of_a_file_that_is_not_here_come_along(make: MakeDatabase) -> None:
    from bench.published.importing import SHIPPED, import_file

    ours, theirs = make(here), make(here)
    with open_writer(theirs) as db:
        import_file(db, min(SHIPPED, key=lambda path: path.stat().st_size))
    assert merged(ours, theirs).published == 1
    sql = "SELECT * FROM published"
    assert rows(ours, sql) == rows(theirs, sql) != []


def test_a_result_whose_key_is_not_its_own_is_refused_and_the_rest_is_taken(
    make: MakeDatabase, tmp_path: Path
) -> None:
    theirs = make(here)
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute("UPDATE trainings SET spec = replace(spec, '\"seed\":1', '\"seed\":7')")
        connection.commit()
    found = merged(tmp_path / "new.db", theirs)
    assert found.verdicts == {"new": 4}
    assert {reason.partition(":")[0] for what, reason in found.refused} == {
        "spec.key (hash of what the training is)"
    }


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("UPDATE evaluations SET curve = '[[['", "damaged"),
        ("UPDATE evaluations SET curve = '[[1,NaN,0.5]]'", "not finite"),
        ("UPDATE artefacts SET labels = x'00'", "damaged"),
        ("UPDATE epochs SET test_accuracy = 7", "less than or equal to 1"),
        ("UPDATE attempts SET started_at = 'yesterday'", "started_at"),
        ("UPDATE evaluations SET evaluation_key = 'x'", "evaluation_key"),
        ("UPDATE environments SET cores = -1", "cores"),
        ("UPDATE trainings SET spec = CAST(x'7b2261ff22' AS TEXT)", "damaged"),
        ("UPDATE attempts SET error = CAST(x'ff' AS TEXT)", "half a character"),
        ("UPDATE datasets SET label = 'digits' || char(27) || '[2J'", "pattern"),
    ],
)
def test_a_database_that_was_tampered_with_is_refused_row_by_row(
    make: MakeDatabase, tmp_path: Path, damage: str, reason: str
) -> None:
    theirs = make(here, seeds=1)
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute(damage)
        connection.commit()
    found = merged(tmp_path / "new.db", theirs)
    assert found.verdicts == {}
    assert reason in "\n".join(text for _, text in found.refused)
    with closing(open_reader(tmp_path / "new.db")) as connection:
        assert problems(connection) == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE boards SET title = char(27) || '[2J'",
        "UPDATE boards SET spec = '[['",
        "UPDATE board_cells SET method = 'ce' || char(10) WHERE method = 'ce'",
        "UPDATE board_cells SET noise_params = '{\"a\": NaN}'",
    ],
)
def test_a_board_that_was_tampered_with_is_refused_and_its_trainings_are_taken(
    make: MakeDatabase, tmp_path: Path, damage: str
) -> None:
    theirs = make(here, seeds=1)
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute(damage)
        connection.commit()
    found = merged(tmp_path / "new.db", theirs)
    assert found.verdicts == {"new": 2}
    assert [what for what, _ in found.refused] == ["boards"]
    assert rows(tmp_path / "new.db", "SELECT * FROM boards") == []


def test_images_come_along_unless_they_are_none(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"x" * 20
    two_noises = SMALL.replace("[clean]", "[clean, {symmetric: {rate: 0.5}}]")
    theirs = make_database(here, seeds=1, suite=two_noises)
    (one, other) = rows(theirs, "SELECT artefact_sha FROM artefacts ORDER BY 1")
    with closing(sqlite3.connect(theirs)) as connection:
        for (sha,), picture in ((one, png), (other, b"<svg onload='alert(1)'>")):
            values = [sha, 0, 5, 1, 2, 0, picture]
            connection.execute("INSERT INTO artefact_examples VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        connection.commit()
    found = merged(tmp_path / "new.db", theirs)
    assert rows(tmp_path / "new.db", "SELECT artefact_sha, png FROM artefact_examples") == [
        (one[0], png)
    ]
    assert [what for what, _ in found.refused] == [f"images of artefact {other[0][:16]}"]


def test_a_database_with_a_view_in_place_of_a_table_is_refused(
    make: MakeDatabase, tmp_path: Path
) -> None:
    theirs = make(here, seeds=1)
    with closing(sqlite3.connect(theirs)) as connection:
        connection.executescript(
            "ALTER TABLE published RENAME TO p; CREATE VIEW published AS SELECT * FROM p;"
        )
    with pytest.raises(StoreError, match=r"lacks published\."):
        merged(tmp_path / "new.db", theirs)


def test_a_conflict_that_was_damaged_is_told_by_the_check(make: MakeDatabase) -> None:
    ours, theirs = make(here), make(other_result)
    merged(ours, theirs)
    with open_writer(ours) as db:
        (blob,) = db.execute("SELECT record FROM conflicts").fetchone()
        changed = conflicts.pack(conflicts.unpack(blob).replace(b"GPU there", b"GPU HERE!"))
        db.execute("UPDATE conflicts SET record = ?", [changed])
        db.conn.commit()
    with closing(open_reader(ours)) as connection:
        assert "a kept conflict is damaged" in problems(connection)[0]


def test_an_error_halfway_leaves_our_database_as_it_was(
    make: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = make(here, seeds=1), make(there)
    before = rows(ours, "SELECT * FROM attempts")

    def broken(*_: object) -> None:
        raise RuntimeError("the power went off")

    monkeypatch.setattr("bench.store.merge.merge_boards", broken)
    with pytest.raises(RuntimeError):
        merged(ours, theirs)
    assert rows(ours, "SELECT * FROM attempts") == before
