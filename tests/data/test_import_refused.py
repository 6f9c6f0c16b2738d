"""Every way in which a folder of images can be refused; nothing is left behind."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from bench.api import DataInfo
from bench.errors import PluginError

MakeTree = Callable[..., Path]
Pack = Callable[..., Path]
Bring = Callable[..., DataInfo]
Refused = Callable[..., str]

SHAPES = (
    *("train/star/7.png", "train/circle/3.png", "train/square/12.png"),
    *("test/star/0.png", "test/circle/1.png", "test/square/2.png"),
)
"""Images of the data set ``shapes``; their names are positions."""


def test_an_unknown_data_set_offers_the_nearest(pets: Path, bring: Bring) -> None:
    with pytest.raises(PluginError, match="did you mean 'pets'"):
        bring("petz", pets)


def test_a_bundled_set_takes_no_import(pets: Path, refused: Refused) -> None:
    assert "ships with LIPBench" in refused("digits", pets)


def test_a_source_that_does_not_exist_is_named(tmp_path: Path, refused: Refused) -> None:
    message = refused("pets", tmp_path / "nowhere.zip")
    assert "nowhere.zip does not exist" in message
    assert "train/<class>/*" in message


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["test/a/x.png"], "no images under train/ (found: test/)"),
        (["train/a/x.png"], "no images under test/ (found: train/)"),
        (["one/a/x.png", "two/a/x.png"], "no images under train/ (found: one/, two/)"),
        (["x.png"], "no images under train/ (found: x.png)"),
        (["Train/a/x.png", "Test/a/x.png"], "no images under train/ (found: Test/, Train/)"),
        ([*SHAPES, "train/x.png"], "train/x.png lies in no class folder"),
        ([*SHAPES, "train/star/deep/x.png"], "train/star/deep"),
        ([*SHAPES, "train/cat/x.png"], "class 'cat' is in train/ but not in test/"),
        ([*SHAPES, "test/cat/x.png"], "class 'cat' is in test/ but not in train/"),
        (["train/a/x.png", "test/a/x.png"], "'a' is the only class"),
        ([*SHAPES, "train/circle/007.png"], "both claim position 7 of train"),
    ],
)
def test_another_layout_is_refused_from_folder_and_zip(
    paths: list[str],
    expected: str,
    make_tree: MakeTree,
    zipped: Pack,
    refused: Refused,
) -> None:
    source = make_tree(*paths)
    assert expected in refused("pets", source)
    assert expected in refused("pets", zipped(source))


def test_an_empty_folder_is_refused(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "empty").mkdir()
    assert "is empty" in refused("pets", tmp_path / "empty")


def test_an_empty_zip_is_refused(tmp_path: Path, refused: Refused) -> None:
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    assert "is empty" in refused("pets", tmp_path / "empty.zip")


def test_empty_split_folders_are_refused(tmp_path: Path, refused: Refused) -> None:
    for part in ("train", "test"):
        (tmp_path / "copy" / part / "cat").mkdir(parents=True)
    assert "is empty" in refused("pets", tmp_path / "copy")


def test_a_folder_that_is_no_declared_class_offers_the_nearest(
    make_tree: MakeTree, refused: Refused
) -> None:
    message = refused("shapes", make_tree(*SHAPES, "train/cirle/5.png"))
    assert "train/cirle/5.png" in message
    assert "did you mean 'circle'" in message


def test_a_position_outside_the_official_set_is_refused(
    make_tree: MakeTree, refused: Refused
) -> None:
    message = refused("shapes", make_tree(*SHAPES, "train/star/100.png"))
    assert "train/star/100.png would be position 100" in message
    assert "0 to 99" in message


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a note", "is not an image"),
        (b"", "is not an image"),
        (b"\x89PNG\r\n\x1a\n", "is not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n", "is not an image"),
    ],
)
def test_a_file_that_is_no_image_is_named(
    data: bytes, expected: str, pets: Path, zipped: Pack, refused: Refused
) -> None:
    (pets / "train/dog/notes.txt").write_bytes(data)
    for source in (pets, zipped(pets)):
        message = refused("pets", source)
        assert "train/dog/notes.txt" in message
        assert expected in message


def test_an_image_cut_short_is_named(make_tree: MakeTree, refused: Refused) -> None:
    source = make_tree(*SHAPES)
    file = source / "test/square/2.png"
    file.write_bytes(file.read_bytes()[:60])
    message = refused("pets", source)
    assert "test/square/2.png is damaged or cut short" in message


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "CMYK", "I;16", "1"])
def test_an_image_of_another_mode_is_named(mode: str, pets: Path, refused: Refused) -> None:
    file = pets / f"train/cat/odd.{'jpg' if mode == 'CMYK' else 'png'}"
    Image.new(mode, (4, 4)).save(file)
    message = refused("pets", pets)
    assert f"train/cat/{file.name} is {mode} 4x4; expected RGB" in message
    assert "Convert it" in message


def test_grey_among_colour_is_named(pets: Path, refused: Refused) -> None:
    Image.new("L", (4, 4)).save(pets / "train/dog/grey.png")
    message = refused("pets", pets)
    assert "train/dog/grey.png is L 4x4; expected RGB 4x4" in message
    assert "train/cat/cat_a.png" in message


def test_an_image_of_another_size_is_named(pets: Path, refused: Refused) -> None:
    Image.new("RGB", (5, 4)).save(pets / "test/dog/large.png")
    assert "test/dog/large.png is RGB 5x4; expected RGB 4x4" in refused("pets", pets)
