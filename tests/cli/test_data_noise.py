"""``data noise`` as a user types it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Bench = Callable[..., Any]


@pytest.fixture
def audited(bench: Bench, data_dir: Path) -> Bench:
    """``data noise`` with digits at hand."""
    return lambda *words: bench("data", "noise", *words, "--data-dir", data_dir)


def test_rates_matrix_hash_and_the_other_convention_are_printed(audited: Bench) -> None:
    ended = audited("digits", "symmetric", "rate=0.4", "convention=inclusive")
    assert ended.code == 0
    for words in (
        "nominal rate   36.00 %",
        "realised rate",
        "sha256",
        "as exclusive",
        "true \\ given",
    ):
        assert words in ended.out


def test_json_has_the_full_matrix(audited: Bench) -> None:
    found = json.loads(audited("digits", "pairflip", "rate=0.3", "--json").out)
    matrix = np.array(found["matrix"])
    assert matrix.shape == (10, 10)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert found["realised_rate"] == pytest.approx(0.3, abs=0.05)
    assert len(found["sha"]) == 64


def test_the_labels_are_those_that_trainings_are_given(
    audited: Bench, bench: Bench, write_suite: Callable[..., Path], data_dir: Path
) -> None:
    where = ("--db", "r.db", "--data-dir", data_dir)
    assert bench("run", write_suite(), *where, "--jobs", "1", "--only", "method=ce").code == 0
    with closing(sqlite3.connect("r.db")) as connection:
        shas = {row[0] for row in connection.execute("SELECT artefact_sha FROM artefacts")}
    found = json.loads(audited("digits", "symmetric", "rate=0.5", "--json", "--seed", "1").out)
    assert found["sha"] in shas


@pytest.mark.parametrize("suffix", ["png", "svg", "html"])
def test_a_picture_is_drawn(suffix: str, audited: Bench, tmp_path: Path) -> None:
    path = tmp_path / f"noise.{suffix}"
    assert audited("digits", "symmetric", "--image", path).code == 0
    if suffix == "png":
        assert Image.open(path).size[0] > 800
    else:
        assert "given" in path.read_text(encoding="utf-8")


def test_candidate_sets_have_a_picture_and_a_matrix_of_their_own(
    audited: Bench, tmp_path: Path
) -> None:
    path = tmp_path / "noise.svg"
    ended = audited("digits", "partial-class", "q=0.4", "--image", path)
    assert ended.code == 0
    assert "true \\ candidate" in ended.out
    assert "candidates     1.4" in ended.out
    assert "sets with this label" in ended.out
    assert "true class" in path.read_text(encoding="utf-8")


def test_what_cannot_be_drawn_is_still_said_in_numbers(audited: Bench, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", features=rng.normal(size=(60, 3)), labels=np.arange(60) % 3)
    dataset = f"{{feature-table: {{path: {tmp_path / 'mine.npz'}}}}}"
    ended = audited(dataset, "real", "--image", "noise.png")
    assert ended.code == 2
    assert "sha256" in ended.out
    assert "there is nothing to draw" in ended.err


def test_an_impossible_noise_says_why(audited: Bench) -> None:
    ended = audited("digits", "human")
    assert ended.code == 2
    assert "human cannot be on digits: human labels exist for cifar10" in ended.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("digits", "symetric"), "did you mean 'symmetric'"),
        (("digits", "symmetric", "rat=0.4"), "rat"),
        (("digits", "symmetric", "rate=1.4"), "1"),
        (("digits", "symmetric", "0.4"), "given as NAME=VALUE"),
        (("digit", "symmetric"), "did you mean 'digits'"),
        (
            ("digits", "symmetric", "--image", "noise.jpg"),
            "charts are written as .png, .svg, .html",
        ),
    ],
)
def test_a_slip_is_answered_with_what_is_valid(
    words: tuple[str, ...], reason: str, audited: Bench
) -> None:
    ended = audited(*words)
    assert ended.code == 2
    assert reason in ended.err


def test_a_data_set_with_parameters_is_written_as_in_a_suite(
    audited: Bench, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", features=rng.normal(size=(60, 3)), labels=np.arange(60) % 3)
    dataset = f"{{feature-table: {{path: {tmp_path / 'mine.npz'}, truth: true}}}}"
    assert "symmetric 0.5 on feature-table mine" in audited(dataset, "symmetric").out
    unknown = f"{{feature-table: {{path: {tmp_path / 'mine.npz'}}}}}"
    assert "nobody knows the true labels" in audited(unknown, "real").out


def test_label_files_are_imported_and_kept(bench: Bench, tmp_path: Path) -> None:
    import torch

    torch.save({"clean_label": [0, 1], "worse_label": [1, 1]}, tmp_path / "downloaded.pt")
    ended = bench("data", "import", "cifar10n", tmp_path / "downloaded.pt", "--data-dir", "d")
    assert ended.code == 0
    assert Path("d/labels/CIFAR-10_human.pt").is_file()
    Path("mine.json").write_text("[0, 1]")
    assert bench("data", "labels", "mine.json", "--data-dir", "d").code == 0
    assert Path("d/labels/mine.json").is_file()
    ended = bench("data", "labels", "other.json", "--data-dir", "d")
    assert ended.code == 2
    assert "is no file" in ended.err


def test_a_layout_is_checked_before_it_is_imported(bench: Bench, tmp_path: Path) -> None:
    for part, count in (("training", 2), ("testing", 1)):
        for label in range(10):
            for i in range(count):
                path = tmp_path / "animals" / part / f"{label}_{i}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 8), (label, 9, 9)).save(path)
    ended = bench("data", "verify", "animal10n", "--source", "animals")
    assert ended.code == 0
    assert "20 train images (2 to 2 a class), 10 test images" in ended.out
    ended = bench("data", "import", "animal10n", "animals", "size=8", "--data-dir", "d")
    assert ended.code == 0
    assert "shape 3x8x8" in ended.out
    ended = bench("data", "verify", "digits", "--source", "animals")
    assert ended.code == 2
    assert "has no layout of its own" in ended.err
