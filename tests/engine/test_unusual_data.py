"""Suites on a user's own data and on labels of unknown truth, from YAML to the tables."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SUITE = """
suite: own
datasets:
  - feature-table: {path: TABLE}
  - image-folder: {path: PHOTOS, size: 8}
noises:
  - real
  - clean
  - symmetric: {rate: 0.3}
methods: [ce, forward]
refiners: [off, lip]
seeds: 1
protocol:
  backbone: {mlp: {width: 8, depth: 1}}
  epochs: 2
  batch_size: 32
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite on a table with true labels beside the given ones, and on a folder without."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    true = np.arange(90) % 3
    given = np.where(np.arange(90) < 9, (true + 1) % 3, true)
    features = rng.normal(size=(90, 4)) + 3 * true[:, None]
    np.savez(folder / "table.npz", features=features, labels=given, true_labels=true)
    for label, name in enumerate(("cat", "dog")):
        for i in range(20):
            path = folder / "photos" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 80, (9, 9, 3)) + 100 * label
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    text = SUITE.replace("TABLE", str(folder / "table.npz"))
    suite = folder / "suite.yaml"
    suite.write_text(text.replace("PHOTOS", str(folder / "photos")))
    return suite


@pytest.fixture(scope="module")
def ended(own: Path) -> subprocess.CompletedProcess[str]:
    """A run of it, with the database beside it."""
    return run(own, own.parent)


def run(suite: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "run", str(suite), "--jobs", "1"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "220"},
    )


def test_own_data_is_trained_on_and_what_cannot_be_is_left_out_with_its_reason(
    own: Path, ended: subprocess.CompletedProcess[str]
) -> None:
    assert ended.returncode == 0, ended.stderr
    assert "the true training labels of image-folder photos are not known" in ended.stdout
    assert "is told the transition_matrix, which nobody knows" in ended.stdout
    with closing(sqlite3.connect(own.parent / "leaderboard.db")) as connection:
        cells = connection.execute(
            "SELECT DISTINCT dataset, noise, method FROM results ORDER BY 1, 2, 3"
        ).fetchall()
        rates = dict(
            connection.execute(
                "SELECT bt.dataset || ' ' || bt.noise, a.realised_rate FROM board_trainings bt "
                "JOIN trainings t ON t.id = bt.training_id "
                "JOIN artefacts a ON a.artefact_sha = t.artefact_sha"
            ).fetchall()
        )
        fits = connection.execute("SELECT count(*) FROM epochs WHERE fit_true IS NULL").fetchone()
    table, photos = "feature-table table", "image-folder photos"
    assert cells == [
        (table, "clean", "ce"),
        (table, "clean", "forward"),
        (table, "real", "ce"),
        (table, "real", "forward"),
        (table, "symmetric 0.3", "ce"),
        (table, "symmetric 0.3", "forward"),
        (photos, "real", "ce"),
    ]
    assert rates[f"{table} real"] == pytest.approx(0.1, abs=0.03)
    assert rates[f"{photos} real"] is None
    assert fits == (2,)


def test_a_second_run_finds_everything_done(
    own: Path, ended: subprocess.CompletedProcess[str]
) -> None:
    assert ended.returncode == 0
    assert "nothing to run" in run(own, own.parent).stdout


def test_two_noises_that_read_the_same_are_refused(
    write_suite: Callable[..., Path], tmp_path: Path
) -> None:
    suite = write_suite(
        "suite: twice\ndatasets: [digits]\nmethods: [ce]\nnoises:\n"
        "  - transition: {called: mine, matrix: MATRIX}\n"
        "  - transition: {called: mine, matrix: MATRIX}\n".replace(
            "MATRIX", json.dumps(np.eye(10).tolist())
        )
    )
    ended = run(suite, tmp_path)
    assert ended.returncode == 2
    assert "both shown as 'mine'" in ended.stderr
