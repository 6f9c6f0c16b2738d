"""Label files of every format, read without running anything that is inside them."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data import released
from bench.data.label_files import read_labels
from bench.errors import DataError
from bench.registry import Registry

LABELS = [3, 0, 2, 2, 1]


def test_columns_of_a_csv_are_told_apart_by_name(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("label,label_noisy\n" + "\n".join(f"{x},{x}" for x in LABELS))
    file = read_labels(path)
    assert file.given().tolist() == LABELS
    assert file.true(file.given()) is file.columns["label"]


def test_a_csv_without_a_header_has_one_column(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(map(str, LABELS)))
    assert read_labels(path).given().tolist() == LABELS


@pytest.mark.parametrize("kind", ["tensor", "array", "list"])
def test_a_torch_file_may_hold_tensors_arrays_and_lists(kind: str, tmp_path: Path) -> None:
    values = {
        "tensor": torch.tensor(LABELS),
        "array": np.array(LABELS),
        "list": LABELS,
    }[kind]
    torch.save({"noisy_label": values}, tmp_path / "labels.pt")
    assert read_labels(tmp_path / "labels.pt").given().tolist() == LABELS


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", "1", "read from .csv, .json, .npy, .pt"),
        ("a.csv", "label\n1\nx\n", r"a.csv:3: label is 'x', no class id"),
        ("a.csv", "label,label_noisy\n1,2\n1\n", "a.csv:3: 1 cells, expected 2"),
        ("a.csv", "label\n1\n-2\n", "sample 1 has the label -2, below 0"),
        ("a.csv", "", "holds no labels"),
        ("a.json", "[1, 2", "is no JSON file"),
        ("a.json", "[1, 2.5]", "float64 values; expected integer"),
        ("a.json", "[[1, 2], [3]]", "no plain list of class ids"),
        ("a.json", '"labels"', "neither a list"),
        ("a.json", '{"label": [1], "noisy": [1, 2]}', "columns differ in length"),
        ("a.json", '{"x": [1], "y": [2]}', None),
        ("a.npy", "no array", "no array of numbers"),
        ("a.pt", "no archive", "was not saved by torch"),
    ],
)
def test_what_holds_no_labels_is_refused(
    name: str, content: str, reason: str | None, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(content)
    if reason is None:
        with pytest.raises(DataError, match="name one of them"):
            read_labels(path).given()
        return
    with pytest.raises(DataError, match=reason):
        read_labels(path)


def test_object_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([1, None], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="no array of numbers"):
        read_labels(tmp_path / "a.npy")


class Runs:
    """Unpickling it runs a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def test_a_pickle_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    torch.save({"clean_label": LABELS, "worse_label": Runs(marker)}, tmp_path / "bad.pt")
    with pytest.raises(DataError, match=r"\(\w+\.system\); nothing of it was run") as caught:
        read_labels(tmp_path / "bad.pt")
    assert "weights_only" not in str(caught.value)
    assert not marker.exists()
    # The very file does run it where pickles are trusted: the guard is what stopped it.
    torch.load(tmp_path / "bad.pt", weights_only=False)
    assert marker.exists()


def test_a_tampered_pickle_inside_a_good_archive_is_refused(tmp_path: Path) -> None:
    marker, good, bad = tmp_path / "ran", tmp_path / "good.pt", tmp_path / "bad.pt"
    torch.save({"worse_label": np.array(LABELS)}, good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                data = pickle.dumps({"worse_label": Runs(marker)}, protocol=2)
            target.writestr(entry.filename, data)
    with pytest.raises(DataError, match="code that labels do not need"):
        read_labels(bad)
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_archive_is_refused(share: float, tmp_path: Path) -> None:
    path = tmp_path / "labels.pt"
    torch.save({"worse_label": np.arange(500) % 7}, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"labels\.pt"):
        read_labels(path)


def test_a_kept_file_lies_whole_in_its_place(tmp_path: Path) -> None:
    source = tmp_path / "mine.json"
    source.write_text(str(LABELS))
    kept = released.keep(source, tmp_path / "data")
    assert kept.path == tmp_path / "data" / "labels" / "mine.json"
    assert kept.path.read_bytes() == source.read_bytes()
    assert [path.name for path in kept.path.parent.iterdir()] == ["mine.json"]
    assert kept.content.sha256 in kept.describe()


def test_a_file_that_holds_no_labels_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{")
    with pytest.raises(DataError):
        released.keep(tmp_path / "mine.json", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_official_files_are_known_by_short_names(registry: Registry) -> None:
    assert released.official_files(registry) == {
        "cifar10n": "CIFAR-10_human.pt",
        "cifar100n": "CIFAR-100_human.pt",
    }


def test_an_array_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.npy"
    header = {"descr": "<i8", "fortran_order": False, "shape": (10**15,)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(b"\0" * 80)
    with pytest.raises(DataError, match="is no array of numbers"):
        read_labels(path)


def test_rows_that_carry_their_position_are_put_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("index,label_noisy\n2,7\n0,5\n1,6\n")
    file = read_labels(path)
    assert file.given().tolist() == [5, 6, 7]


@pytest.mark.parametrize("positions", [(0, 1, 1), (1, 2, 3)])
def test_positions_that_are_no_order_are_refused(
    positions: tuple[int, ...], tmp_path: Path
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("index,label\n" + "".join(f"{position},4\n" for position in positions))
    with pytest.raises(DataError, match="positions 0 to 2, each once"):
        read_labels(path)
