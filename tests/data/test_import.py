"""Importing an offline copy: what it becomes, and what happens to what was there."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.api import DataInfo
from bench.data import prepared
from bench.errors import DataError
from bench.registry import Registry

MakeTree = Callable[..., Path]
Pack = Callable[..., Path]
Bring = Callable[..., DataInfo]

SHAPES = (
    *("train/star/7.png", "train/circle/3.png", "train/square/12.png"),
    *("test/star/0.png", "test/circle/1.png", "test/square/2.png"),
)
"""Images of the data set ``shapes``; their names are positions."""


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_images_classes_and_sizes_arrive(
    pets: Path, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    info = bring("pets", pets)
    assert (info.n_train, info.n_test, info.shape) == (4, 2, (3, 4, 4))
    assert info.class_names == ("cat", "dog")
    train = prepared.load("pets", data_dir, registry).train
    files = ["cat/cat_a", "cat/cat_b", "dog/dog_a", "dog/dog_b"]
    for image, file in zip(train.inputs, files, strict=True):
        np.testing.assert_array_equal(image, pixels(pets / f"train/{file}.png"))
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert train.index.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("top", ["", "my-pets/"])
def test_a_zip_and_its_folder_are_the_same_set(
    top: str,
    pets: Path,
    zipped: Pack,
    bring: Bring,
    data_dir: Path,
    registry: Registry,
) -> None:
    from_zip = bring("pets", zipped(pets, top))
    assert bring("pets", pets) == from_zip


def test_a_folder_may_lie_inside_one_top_folder(make_tree: MakeTree, bring: Bring) -> None:
    source = make_tree(*(f"inner/{path}" for path in SHAPES))
    assert bring("pets", source).n_train == 3


def test_numeric_names_are_positions_in_the_canonical_set(
    make_tree: MakeTree, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    source = make_tree(*SHAPES)
    bring("shapes", source)
    train = prepared.load("shapes", data_dir, registry).train
    assert train.index.tolist() == [3, 7, 12]
    assert train.labels.tolist() == [1, 0, 2]
    np.testing.assert_array_equal(train.inputs[1], pixels(source / "train/star/7.png"))


def test_one_name_without_a_number_makes_all_of_its_split_positionless(
    make_tree: MakeTree, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    bring("shapes", make_tree(*SHAPES, "train/star/new.png"))
    data = prepared.load("shapes", data_dir, registry)
    assert data.train.index.tolist() == [0, 1, 2, 3]
    assert data.train.labels.tolist() == [0, 0, 1, 2]
    assert data.test.index.tolist() == [0, 1, 2]


def test_declared_classes_keep_their_official_ids(
    make_tree: MakeTree, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    info = bring("shapes", make_tree(*SHAPES))
    assert info.class_names == ("star", "circle", "square")
    assert prepared.load("shapes", data_dir, registry).test.labels.tolist() == [0, 1, 2]


def test_a_subset_of_the_declared_classes_keeps_the_official_ids(
    make_tree: MakeTree, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    info = bring("shapes", make_tree(*(path for path in SHAPES if "star" not in path)))
    assert info.n_classes == 3
    assert prepared.load("shapes", data_dir, registry).test.labels.tolist() == [1, 2]


def test_numeric_class_folders_are_ordered_by_value(make_tree: MakeTree, bring: Bring) -> None:
    source = make_tree(*(f"{part}/{c}/{c}_x.png" for part in ("train", "test") for c in (10, 9, 2)))
    assert bring("pets", source).class_names == ("2", "9", "10")


def test_an_all_grey_set_has_one_channel(
    make_tree: MakeTree, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    source = make_tree(*SHAPES, mode="L")
    assert bring("shapes", source).shape == (1, 4, 4)
    test = prepared.load("shapes", data_dir, registry).test
    np.testing.assert_array_equal(test.inputs[0, :, :, 0], pixels(source / "test/star/0.png"))


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "ppm", "tif", "webp"])
def test_other_formats_than_png_are_read(suffix: str, make_tree: MakeTree, bring: Bring) -> None:
    source = make_tree(*(path.replace("png", suffix) for path in SHAPES))
    assert bring("shapes", source).shape == (3, 4, 4)


def test_what_file_managers_leave_behind_is_ignored(pets: Path, zipped: Pack, bring: Bring) -> None:
    for junk in (
        *(".DS_Store", "train/.DS_Store", "train/cat/.DS_Store", "train/cat/Thumbs.db"),
        *("test/dog/desktop.ini", "train/cat/._cat_a.png", "__MACOSX/train/cat/._cat_a.png"),
    ):
        (pets / junk).parent.mkdir(parents=True, exist_ok=True)
        (pets / junk).write_bytes(b"junk")
    info = bring("pets", pets)
    assert info.n_train == 4
    assert bring("pets", zipped(pets)) == info
    assert bring("pets", zipped(pets, "top/")) == info


def test_files_beside_the_splits_are_ignored_and_folders_are_mentioned(
    pets: Path, bring: Bring, caplog: pytest.LogCaptureFixture
) -> None:
    (pets / "README.md").write_text("about")
    (pets / "val" / "cat").mkdir(parents=True)
    assert bring("pets", pets).n_train == 4
    assert "val/ is ignored" in caplog.text
    assert "README" not in caplog.text


def test_a_zip_packed_with_backslashes_is_understood(
    pets: Path, tmp_path: Path, bring: Bring
) -> None:
    source = tmp_path / "windows.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for file in sorted(pets.rglob("*.png")):
            archive.writestr(str(file.relative_to(pets)).replace("/", "\\"), file.read_bytes())
    assert bring("pets", source) == bring("pets", pets)


def test_the_same_copy_again_changes_nothing(pets: Path, bring: Bring, data_dir: Path) -> None:
    first = bring("pets", pets)
    before = (data_dir / "pets").stat().st_mtime_ns
    assert bring("pets", pets) == first
    assert (data_dir / "pets").stat().st_mtime_ns == before


def test_another_copy_needs_replace(
    pets: Path, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    first = bring("pets", pets)
    (pets / "train/cat/cat_a.png").unlink()
    with pytest.raises(DataError) as caught:
        bring("pets", pets)
    message = str(caught.value)
    assert f"4 train, 2 test, fingerprint {first.fingerprint[:12]}" in message
    assert "3 train, 2 test, fingerprint" in message
    assert "--replace" in message
    assert prepared.load("pets", data_dir, registry).info == first
    second = bring("pets", pets, replace=True)
    assert second.fingerprint[:12] in message
    assert prepared.load("pets", data_dir, registry).info == second


def test_a_damaged_set_is_repaired_without_replace(
    pets: Path, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    first = bring("pets", pets)
    (data_dir / "pets" / "train_inputs.npy").write_bytes(b"")
    assert bring("pets", pets) == first
    assert prepared.load("pets", data_dir, registry).info == first


def test_images_that_lie_in_the_prepared_place_are_not_deleted(
    pets: Path, bring: Bring, data_dir: Path
) -> None:
    data_dir.mkdir()
    source = pets.rename(data_dir / "pets")
    with pytest.raises(DataError, match="move that folder elsewhere"):
        bring("pets", source)
    assert len(list(source.rglob("*.png"))) == 6
