"""Every way in which a zip can be refused, unread where it is unsafe."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from bench.data import zips

Pack = Callable[..., Path]
Refused = Callable[..., str]


@pytest.mark.parametrize(
    "name",
    [
        *("../x.png", "train/../../x.png", "/train/cat/x.png", "C:/train/cat/x.png"),
        *("..\\x.png", "\\\\host\\share\\x.png", "c:x.png", "train/cat/.."),
    ],
)
def test_an_entry_that_points_outside_is_refused(
    name: str, pets: Path, zipped: Pack, refused: Refused, tmp_path: Path
) -> None:
    source = zipped(pets)
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr(name, b"x")
    before = sorted(tmp_path.rglob("*"))
    assert "points outside its folder" in refused("pets", source)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(stat.S_IFLNK, "a symbolic link"), (stat.S_IFIFO, "a special file")],
)
def test_an_entry_that_is_no_plain_file_is_refused(
    kind: int, expected: str, pets: Path, zipped: Pack, refused: Refused
) -> None:
    source = zipped(pets)
    entry = zipfile.ZipInfo("train/cat/link.png")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    message = refused("pets", source)
    assert "'train/cat/link.png'" in message
    assert expected in message


def test_a_zip_cut_short_is_refused(pets: Path, zipped: Pack, refused: Refused) -> None:
    source = zipped(pets)
    source.write_bytes(source.read_bytes()[:-40])
    assert "cut short" in refused("pets", source)


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "copy.tar.gz").write_bytes(b"\x1f\x8b not a zip")
    assert "is no zip" in refused("pets", tmp_path / "copy.tar.gz")


def test_a_damaged_entry_is_named(pets: Path, zipped: Pack, refused: Refused) -> None:
    source = zipped(pets)
    data = source.read_bytes()
    image = (pets / "train/dog/dog_a.png").read_bytes()
    middle = data.index(image) + len(image) // 2
    source.write_bytes(data[:middle] + b"\x00\xff\x00" + data[middle + 3 :])
    message = refused("pets", source)
    assert "train/dog/dog_a.png cannot be unpacked" in message


def test_a_locked_zip_is_refused(pets: Path, zipped: Pack, refused: Refused) -> None:
    source = zipped(pets)
    data = bytearray(source.read_bytes())
    position = data.rindex(b"PK\x01\x02")
    data[position + 8] |= 1
    source.write_bytes(data)
    assert "locked with a password" in refused("pets", source)


def test_a_path_that_occurs_twice_is_refused(pets: Path, zipped: Pack, refused: Refused) -> None:
    source = zipped(pets)
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("train//cat/cat_a.png", b"another")
    assert "holds train/cat/cat_a.png twice" in refused("pets", source)


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        (100 << 30, "claims to unpack to 100.0 GiB"),
        (3 << 29, "claims to unpack to 1.5 GiB"),
        (zips.MAX_ENTRY + 1, "too much for an image"),
    ],
)
def test_a_zip_that_claims_too_much_is_refused_unread(
    claimed: int, expected: str, pets: Path, zipped: Pack, refused: Refused
) -> None:
    source = zipped(pets)
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("train/cat/bomb.png", b"")
        archive.infolist()[-1].file_size = claimed
    assert expected in refused("pets", source)


def test_a_zip_that_claims_more_than_can_be_trained_on_is_refused(
    pets: Path, zipped: Pack, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "MAX_UNPACKED", 300)
    assert "which no set of images does" in refused("pets", zipped(pets))


def test_an_image_that_inflates_to_gigapixels_is_refused(pets: Path, refused: Refused) -> None:
    huge = io.BytesIO()
    Image.new("RGB", (1, 1)).save(huge, "PNG")
    data = bytearray(huge.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    (pets / "train/cat/huge.png").write_bytes(data)
    assert "train/cat/huge.png" in refused("pets", pets)
