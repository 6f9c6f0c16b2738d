"""The command ``analyse``: tables, files, and what it says where there is nothing to compare."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.cli import main
from bench.store import reader, structure
from bench.store.database import open_reader

Bench = Callable[..., object]

SUITE = """
suite: turned
datasets: [digits]
noises:
  - clean
  - symmetric: {rate: 0.4}
  - partial-uniform: {q: 0.3}
methods: [ce, ridge]
refiners: [off, lip]
seeds: 2
protocol:
  backbone: {mlp: {width: 16, depth: 1}}
  epochs: 2
  batch_size: 256
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    """A database with ten trainings: candidate sets are not for cross entropy."""
    folder = tmp_path_factory.mktemp("turned")
    suite, db = folder / "turned.yaml", folder / "some.db"
    suite.write_text(SUITE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        words = ["lipbench", "run", str(suite), "--db", str(db), "--data-dir", str(data_dir)]
        patch.setattr("sys.argv", [*words, "--device", "cpu", "--jobs", "1"])
        assert main() == 0
    return db


def heads(db: Path) -> pd.DataFrame:
    with closing(open_reader(db)) as connection:
        return structure.heads(connection, reader.find_board(connection, "turned", None).board)


def test_every_head_keeps_its_right_singular_vectors(finished: Path) -> None:
    found = heads(finished)
    assert len(found) == 10
    for right in found["right"]:
        assert right.shape == (10, 10)
        assert right.T @ right == pytest.approx(np.eye(10), abs=1e-4)


def test_only_true_single_labels_are_clean(finished: Path) -> None:
    found = heads(finished).groupby("kind")["is_clean"].unique()
    assert found["clean"].tolist() == [True]
    assert found["symmetric"].tolist() == [False]
    assert found["partial-uniform"].tolist() == [False]


def test_the_change_of_the_label_matrix_is_two_for_every_wrong_label(finished: Path) -> None:
    found = heads(finished)
    wrong = found[(found["kind"] == "symmetric") & (found["method"] == "ce")]
    for row in wrong.to_dict("records"):
        # A tenth is held out, stratified on the labels, so the share is not exactly the whole one.
        n = 1797 * 0.8
        assert row["ridge"]["label_change"] / 2 / n == pytest.approx(row["rate"], abs=0.1)
    clean = found[found["is_clean"]]
    assert [ridge["label_change"] for ridge in clean["ridge"]] == [0] * 4


def test_tables_name_twins_and_the_bound(bench: Bench, finished: Path) -> None:
    ended = bench("analyse", "turned", "--db", finished)
    assert ended.code == 0, ended.err
    assert "Trained heads beside their twins on true labels" in ended.out
    assert "and the bound" in ended.out
    assert "symmetric 0.4" in ended.out
    assert "--output FOLDER" in ended.out


def test_charts_and_numbers_are_written(bench: Bench, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    ended = bench("analyse", "turned", "--db", finished, "-o", folder, "-f", "svg", "-f", "csv")
    assert ended.code == 0, ended.err
    names = sorted(path.name for path in folder.iterdir())
    assert "spectra-digits-ce.svg" in names
    assert "similarity-digits-ce-symmetric-0.4.svg" in names
    assert "angles-digits-ridge-partial-uniform-0.3.csv" in names
    assert "summary.csv" in names
    assert (folder / "angles-digits-ce-symmetric-0.4.svg").read_text().startswith("<svg")
    numbers = pd.read_csv(folder / "similarity-digits-ce-symmetric-0.4.csv")
    assert len(numbers) == 100
    assert numbers["similarity"].between(0, 1 + 1e-6).all()


def test_an_unknown_format_is_refused_with_the_nearest(bench: Bench, finished: Path) -> None:
    ended = bench("analyse", "turned", "--db", finished, "-f", "pgn")
    assert ended.code == 2
    assert "did you mean 'png'" in ended.err


def test_heads_older_than_their_vectors_are_told_with_the_command(
    bench: Bench, finished: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    old.write_bytes(finished.read_bytes())
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE spectra SET right_vectors = NULL")
    ended = bench("analyse", "turned", "--db", old)
    assert ended.code == 2
    assert "before singular vectors were kept" in ended.err
    assert "python -m bench run turned --redo all" in ended.err


def test_a_database_of_an_older_schema_is_read_as_having_none(
    bench: Bench, finished: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    old.write_bytes(finished.read_bytes())
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("ALTER TABLE spectra DROP COLUMN right_vectors")
        connection.execute("ALTER TABLE spectra DROP COLUMN ridge")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm004_spectra'")
    ended = bench("analyse", "turned", "--db", old)
    assert ended.code == 2
    assert "its 10 heads were trained before" in ended.err


def test_a_suite_without_clean_labels_is_told_what_to_add(
    bench: Bench, finished: Path, tmp_path: Path
) -> None:
    lone = tmp_path / "lone.db"
    lone.write_bytes(finished.read_bytes())
    with closing(sqlite3.connect(lone)) as connection, connection:
        connection.execute("UPDATE artefacts SET realised_rate = 0.1 WHERE realised_rate = 0")
    ended = bench("analyse", "turned", "--db", lone)
    assert ended.code == 2
    assert "add clean to the suite" in ended.err
