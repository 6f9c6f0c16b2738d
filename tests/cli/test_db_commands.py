"""``db``: checking, merging, exporting and importing as a user types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import MakeDatabase, done

from bench.records import Outcome
from bench.training_spec import TrainingSpec

Bench = Callable[..., Any]

SUITE = """
suite: tiny
datasets: [digits]
noises: [clean]
methods: [ce, gce]
refiners: [off, lip]
seeds: 2
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""


def better(spec: TrainingSpec) -> Outcome:
    """A result that is a hundredth better under every refiner, for one training."""
    found = done(spec)
    if (spec.method, spec.seed) != ("gce", 1):
        return found
    evaluations = tuple(
        replace(e, test_accuracy=(e.test_accuracy or 0) - 0.01) for e in found.evaluations
    )
    return replace(found, evaluations=evaluations)


@pytest.fixture(scope="module")
def make(make_database: MakeDatabase) -> MakeDatabase:
    """As ``make_database``, of a small suite."""
    return partial(make_database, suite=SUITE)


@pytest.fixture(scope="module")
def made(make: MakeDatabase) -> Path:
    """Four trainings that are done."""
    return make()


@pytest.fixture(scope="module")
def differing(make: MakeDatabase) -> Path:
    """The same four, one of them with another result."""
    return make(better)


@pytest.fixture
def ours(made: Path, tmp_path: Path) -> Path:
    """A database to write to."""
    return Path(shutil.copy(made, tmp_path / "ours.db"))


def test_merging_results_that_agree_says_so(bench: Bench, ours: Path, made: Path) -> None:
    ended = bench("db", "merge", made, "--db", ours)
    assert ended.code == 0
    assert "trainings: 4 known" in ended.out


def test_a_conflict_is_shown_with_both_accuracies_and_ends_in_1(
    bench: Bench, ours: Path, differing: Path
) -> None:
    ended = bench("db", "merge", differing, "--db", ours)
    assert ended.code == 1
    assert "3 known, 1 in conflict" in ended.out
    (row,) = (line for line in ended.out.splitlines() if "│ digits" in line)
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells[:5] == ["digits", "clean", "gce", "1", "off"]
    assert float(cells[5]) - float(cells[6]) == pytest.approx(1, abs=1e-3)
    assert "python -m bench db conflicts --db" in ended.out


def test_a_conflict_that_is_known_is_no_news(bench: Bench, ours: Path, differing: Path) -> None:
    bench("db", "merge", differing, "--db", ours)
    ended = bench("db", "merge", differing, "--db", ours)
    assert ended.code == 0
    assert "1 in a conflict that is known" in ended.out


def test_conflicts_are_listed_and_mentioned_by_the_check(
    bench: Bench, ours: Path, differing: Path
) -> None:
    assert "keeps no conflict" in bench("db", "conflicts", "--db", ours).out
    bench("db", "merge", differing, "--db", ours)
    (found,) = json.loads(bench("db", "conflicts", "--db", ours, "--json").out)
    assert found["method"] == "gce"
    assert found["record"]["attempts"][0]["status"] == "done"
    assert "gce" in bench("db", "conflicts", "--db", ours).out
    checked = bench("db", "check", "--db", ours)
    assert checked.code == 0
    assert "1 result of another machine differs" in checked.out


def test_several_databases_make_a_new_one(
    bench: Bench, made: Path, differing: Path, tmp_path: Path
) -> None:
    ended = bench("db", "merge", made, differing, "--db", tmp_path / "all.db")
    assert "trainings: 4 new" in ended.out
    assert "3 known, 1 in conflict" in ended.out
    assert "4 trainings done" in bench("db", "check", "--db", tmp_path / "all.db").out


def test_merging_a_database_into_itself_is_refused(bench: Bench, ours: Path) -> None:
    ended = bench("db", "merge", ours, "--db", ours)
    assert ended.code == 2
    assert "is the database that is merged into" in ended.err


def test_merging_what_is_not_there_is_refused(bench: Bench, ours: Path) -> None:
    ended = bench("db", "merge", "absent.db", "--db", ours)
    assert (ended.code, "there is no database absent.db" in ended.err) == (2, True)


def test_an_export_is_imported_elsewhere(bench: Bench, made: Path, tmp_path: Path) -> None:
    out = bench("db", "export", "out", "--db", made)
    assert "4 files written, 0 were there" in out.out
    assert "0 files written, 4 were there" in bench("db", "export", "out", "--db", made).out
    ended = bench("db", "import", "out", "--db", "new.db")
    assert (ended.code, "trainings: 4 new" in ended.out) == (0, True)
    assert "4 trainings done" in bench("db", "check", "--db", "new.db").out


def test_imported_trainings_are_done_when_their_suite_is_planned(
    bench: Bench, made: Path, data_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(SUITE)
    bench("db", "export", "out", "--db", made)
    bench("db", "import", "out", "--db", "new.db")
    ended = bench("run", "tiny.yaml", "--db", "new.db", "--data-dir", data_dir)
    assert ended.code == 0, ended.err
    assert "All 4 trainings are done; nothing to run." in ended.out


def test_an_export_may_be_restricted(bench: Bench, made: Path) -> None:
    only = ("--only", "method=gce", "--only", "seed=0")
    assert "1 files written" in bench("db", "export", "out", *only, "--db", made).out
    ended = bench("db", "export", "out", "--only", "method=elr", "--db", made)
    assert (ended.code, "matches --only" in ended.err) == (2, True)


def test_a_refused_file_is_named_and_the_others_are_taken(
    bench: Bench, made: Path, tmp_path: Path
) -> None:
    bench("db", "export", "out", "--db", made)
    victim = min((tmp_path / "out").iterdir())
    victim.write_bytes(victim.read_bytes().replace(b'"seed":', b'"seed":1'))
    ended = bench("db", "import", "out", "--db", "new.db")
    assert ended.code == 1
    assert "trainings: 3 new" in ended.out
    assert f"refused: out/{victim.name}: its name is not the hash" in ended.out


def test_one_file_may_be_imported(bench: Bench, made: Path, tmp_path: Path) -> None:
    bench("db", "export", "out", "--db", made)
    ended = bench("db", "import", min((tmp_path / "out").iterdir()), "--db", "new.db")
    assert "1 files into new.db: trainings: 1 new" in ended.out


def test_a_folder_without_files_says_what_makes_some(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    ended = bench("db", "import", "out", "--db", "new.db")
    assert (ended.code, "python -m bench db export" in ended.err) == (2, True)
