"""Importing an offline copy: what it becomes, and every way in which it can be refused."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.api import DataInfo
from bench.data import prepared, zips
from bench.data.importer import fetch, import_tree
from bench.errors import DataError, PluginError
from bench.registry import Registry

MakeTree = Callable[..., Path]
Pack = Callable[..., Path]

SHAPES = (
    *("train/star/7.png", "train/circle/3.png", "train/square/12.png"),
    *("test/star/0.png", "test/circle/1.png", "test/square/2.png"),
)


@pytest.fixture
def bring(data_dir: Path, registry: Registry) -> Callable[..., DataInfo]:
    def bring_in(name: str, source: Path, *, replace: bool = False) -> DataInfo:
        return import_tree(name, source, data_dir, registry, replace=replace)

    return bring_in


@pytest.fixture
def refused(bring: Callable[..., DataInfo], data_dir: Path) -> Callable[..., str]:
    """The message of a refused import, which left nothing at all behind."""

    def message(name: str, source: Path) -> str:
        with pytest.raises(DataError) as caught:
            bring(name, source)
        assert not data_dir.exists()
        return str(caught.value)

    return message


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


# ---------------------------------------------------------------------------- what it becomes


def test_images_classes_and_sizes_arrive(
    pets: Path, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
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
    bring: Callable[..., DataInfo],
    data_dir: Path,
    registry: Registry,
) -> None:
    from_zip = bring("pets", zipped(pets, top))
    assert bring("pets", pets) == from_zip


def test_a_folder_may_lie_inside_one_top_folder(
    make_tree: MakeTree, bring: Callable[..., DataInfo]
) -> None:
    source = make_tree(*(f"inner/{path}" for path in SHAPES))
    assert bring("pets", source).n_train == 3


def test_numeric_names_are_positions_in_the_canonical_set(
    make_tree: MakeTree, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
) -> None:
    source = make_tree(*SHAPES)
    bring("shapes", source)
    train = prepared.load("shapes", data_dir, registry).train
    assert train.index.tolist() == [3, 7, 12]
    assert train.labels.tolist() == [1, 0, 2]
    np.testing.assert_array_equal(train.inputs[1], pixels(source / "train/star/7.png"))


def test_one_name_without_a_number_makes_all_of_its_split_positionless(
    make_tree: MakeTree, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
) -> None:
    bring("shapes", make_tree(*SHAPES, "train/star/new.png"))
    data = prepared.load("shapes", data_dir, registry)
    assert data.train.index.tolist() == [0, 1, 2, 3]
    assert data.train.labels.tolist() == [0, 0, 1, 2]
    assert data.test.index.tolist() == [0, 1, 2]


def test_declared_classes_keep_their_official_ids(
    make_tree: MakeTree, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
) -> None:
    info = bring("shapes", make_tree(*SHAPES))
    assert info.class_names == ("star", "circle", "square")
    assert prepared.load("shapes", data_dir, registry).test.labels.tolist() == [0, 1, 2]


def test_a_subset_of_the_declared_classes_keeps_the_official_ids(
    make_tree: MakeTree, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
) -> None:
    info = bring("shapes", make_tree(*(path for path in SHAPES if "star" not in path)))
    assert info.n_classes == 3
    assert prepared.load("shapes", data_dir, registry).test.labels.tolist() == [1, 2]


def test_numeric_class_folders_are_ordered_by_value(
    make_tree: MakeTree, bring: Callable[..., DataInfo]
) -> None:
    source = make_tree(*(f"{part}/{c}/{c}_x.png" for part in ("train", "test") for c in (10, 9, 2)))
    assert bring("pets", source).class_names == ("2", "9", "10")


def test_an_all_grey_set_has_one_channel(
    make_tree: MakeTree, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
) -> None:
    source = make_tree(*SHAPES, mode="L")
    assert bring("shapes", source).shape == (1, 4, 4)
    test = prepared.load("shapes", data_dir, registry).test
    np.testing.assert_array_equal(test.inputs[0, :, :, 0], pixels(source / "test/star/0.png"))


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "ppm", "tif", "webp"])
def test_other_formats_than_png_are_read(
    suffix: str, make_tree: MakeTree, bring: Callable[..., DataInfo]
) -> None:
    source = make_tree(*(path.replace("png", suffix) for path in SHAPES))
    assert bring("shapes", source).shape == (3, 4, 4)


def test_what_file_managers_leave_behind_is_ignored(
    pets: Path, zipped: Pack, bring: Callable[..., DataInfo]
) -> None:
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
    pets: Path, bring: Callable[..., DataInfo], caplog: pytest.LogCaptureFixture
) -> None:
    (pets / "README.md").write_text("about")
    (pets / "val" / "cat").mkdir(parents=True)
    assert bring("pets", pets).n_train == 4
    assert "val/ is ignored" in caplog.text
    assert "README" not in caplog.text


def test_a_zip_packed_with_backslashes_is_understood(
    pets: Path, tmp_path: Path, bring: Callable[..., DataInfo]
) -> None:
    source = tmp_path / "windows.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for file in sorted(pets.rglob("*.png")):
            archive.writestr(str(file.relative_to(pets)).replace("/", "\\"), file.read_bytes())
    assert bring("pets", source) == bring("pets", pets)


# -------------------------------------------------------------------------- already prepared


def test_the_same_copy_again_changes_nothing(
    pets: Path, bring: Callable[..., DataInfo], data_dir: Path
) -> None:
    first = bring("pets", pets)
    before = (data_dir / "pets").stat().st_mtime_ns
    assert bring("pets", pets) == first
    assert (data_dir / "pets").stat().st_mtime_ns == before


def test_another_copy_needs_replace(
    pets: Path, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
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
    pets: Path, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
) -> None:
    first = bring("pets", pets)
    (data_dir / "pets" / "train_inputs.npy").write_bytes(b"")
    assert bring("pets", pets) == first
    assert prepared.load("pets", data_dir, registry).info == first


def test_images_that_lie_in_the_prepared_place_are_not_deleted(
    pets: Path, bring: Callable[..., DataInfo], data_dir: Path
) -> None:
    data_dir.mkdir()
    source = pets.rename(data_dir / "pets")
    with pytest.raises(DataError, match="move that folder elsewhere"):
        bring("pets", source)
    assert len(list(source.rglob("*.png"))) == 6


# ---------------------------------------------------------------------------------- bad names


def test_an_unknown_data_set_offers_the_nearest(pets: Path, bring: Callable[..., DataInfo]) -> None:
    with pytest.raises(PluginError, match="did you mean 'pets'"):
        bring("petz", pets)


def test_a_bundled_set_takes_no_import(pets: Path, refused: Callable[..., str]) -> None:
    assert "ships with LIPBench" in refused("digits", pets)


def test_a_source_that_does_not_exist_is_named(tmp_path: Path, refused: Callable[..., str]) -> None:
    message = refused("pets", tmp_path / "nowhere.zip")
    assert "nowhere.zip does not exist" in message
    assert "train/<class>/*" in message


# --------------------------------------------------------------------------------- bad layout


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
    refused: Callable[..., str],
) -> None:
    source = make_tree(*paths)
    assert expected in refused("pets", source)
    assert expected in refused("pets", zipped(source))


def test_an_empty_folder_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "is empty" in refused("pets", tmp_path / "empty")


def test_an_empty_zip_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    assert "is empty" in refused("pets", tmp_path / "empty.zip")


def test_empty_split_folders_are_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    for part in ("train", "test"):
        (tmp_path / "copy" / part / "cat").mkdir(parents=True)
    assert "is empty" in refused("pets", tmp_path / "copy")


def test_a_folder_that_is_no_declared_class_offers_the_nearest(
    make_tree: MakeTree, refused: Callable[..., str]
) -> None:
    message = refused("shapes", make_tree(*SHAPES, "train/cirle/5.png"))
    assert "train/cirle/5.png" in message
    assert "did you mean 'circle'" in message


def test_a_position_outside_the_official_set_is_refused(
    make_tree: MakeTree, refused: Callable[..., str]
) -> None:
    message = refused("shapes", make_tree(*SHAPES, "train/star/100.png"))
    assert "train/star/100.png would be position 100" in message
    assert "0 to 99" in message


# --------------------------------------------------------------------------------- bad images


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
    data: bytes, expected: str, pets: Path, zipped: Pack, refused: Callable[..., str]
) -> None:
    (pets / "train/dog/notes.txt").write_bytes(data)
    for source in (pets, zipped(pets)):
        message = refused("pets", source)
        assert "train/dog/notes.txt" in message
        assert expected in message


def test_an_image_cut_short_is_named(make_tree: MakeTree, refused: Callable[..., str]) -> None:
    source = make_tree(*SHAPES)
    file = source / "test/square/2.png"
    file.write_bytes(file.read_bytes()[:60])
    message = refused("pets", source)
    assert "test/square/2.png is damaged or cut short" in message


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "CMYK", "I;16", "1"])
def test_an_image_of_another_mode_is_named(
    mode: str, pets: Path, refused: Callable[..., str]
) -> None:
    file = pets / f"train/cat/odd.{'jpg' if mode == 'CMYK' else 'png'}"
    Image.new(mode, (4, 4)).save(file)
    message = refused("pets", pets)
    assert f"train/cat/{file.name} is {mode} 4x4; expected RGB" in message
    assert "Convert it" in message


def test_grey_among_colour_is_named(pets: Path, refused: Callable[..., str]) -> None:
    Image.new("L", (4, 4)).save(pets / "train/dog/grey.png")
    message = refused("pets", pets)
    assert "train/dog/grey.png is L 4x4; expected RGB 4x4" in message
    assert "train/cat/cat_a.png" in message


def test_an_image_of_another_size_is_named(pets: Path, refused: Callable[..., str]) -> None:
    Image.new("RGB", (5, 4)).save(pets / "test/dog/large.png")
    assert "test/dog/large.png is RGB 5x4; expected RGB 4x4" in refused("pets", pets)


# ----------------------------------------------------------------------------------- bad zips


@pytest.mark.parametrize(
    "name",
    [
        *("../x.png", "train/../../x.png", "/train/cat/x.png", "C:/train/cat/x.png"),
        *("..\\x.png", "\\\\host\\share\\x.png", "c:x.png", "train/cat/.."),
    ],
)
def test_an_entry_that_points_outside_is_refused(
    name: str, pets: Path, zipped: Pack, refused: Callable[..., str], tmp_path: Path
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
    kind: int, expected: str, pets: Path, zipped: Pack, refused: Callable[..., str]
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


def test_a_zip_cut_short_is_refused(pets: Path, zipped: Pack, refused: Callable[..., str]) -> None:
    source = zipped(pets)
    source.write_bytes(source.read_bytes()[:-40])
    assert "cut short" in refused("pets", source)


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "copy.tar.gz").write_bytes(b"\x1f\x8b not a zip")
    assert "is no zip" in refused("pets", tmp_path / "copy.tar.gz")


def test_a_damaged_entry_is_named(pets: Path, zipped: Pack, refused: Callable[..., str]) -> None:
    source = zipped(pets)
    data = source.read_bytes()
    image = (pets / "train/dog/dog_a.png").read_bytes()
    middle = data.index(image) + len(image) // 2
    source.write_bytes(data[:middle] + b"\x00\xff\x00" + data[middle + 3 :])
    message = refused("pets", source)
    assert "train/dog/dog_a.png cannot be unpacked" in message


def test_a_locked_zip_is_refused(pets: Path, zipped: Pack, refused: Callable[..., str]) -> None:
    source = zipped(pets)
    data = bytearray(source.read_bytes())
    position = data.rindex(b"PK\x01\x02")
    data[position + 8] |= 1
    source.write_bytes(data)
    assert "locked with a password" in refused("pets", source)


def test_a_path_that_occurs_twice_is_refused(
    pets: Path, zipped: Pack, refused: Callable[..., str]
) -> None:
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
    claimed: int, expected: str, pets: Path, zipped: Pack, refused: Callable[..., str]
) -> None:
    source = zipped(pets)
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("train/cat/bomb.png", b"")
        archive.infolist()[-1].file_size = claimed
    assert expected in refused("pets", source)


def test_an_image_that_inflates_to_gigapixels_is_refused(
    pets: Path, refused: Callable[..., str]
) -> None:
    huge = io.BytesIO()
    Image.new("RGB", (1, 1)).save(huge, "PNG")
    data = bytearray(huge.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    (pets / "train/cat/huge.png").write_bytes(data)
    assert "train/cat/huge.png" in refused("pets", pets)


# -------------------------------------------------------------------------------------- fetch


def test_a_failed_download_says_why_in_one_line_and_gives_both_commands(
    data_dir: Path, registry: Registry
) -> None:
    with pytest.raises(DataError) as caught:
        fetch("shapes", data_dir, registry)
    first, *rest = str(caught.value).split("\n")
    assert first == "shapes could not be downloaded (URLError: <urlopen error no route to host>)."
    assert "python -m bench data fetch shapes" in "".join(rest)
    assert "python -m bench data import shapes FILE" in "".join(rest)


def test_an_interrupted_download_leaves_nothing_prepared(
    data_dir: Path, registry: Registry
) -> None:
    with pytest.raises(DataError):
        fetch("shapes", data_dir, registry)
    assert [path.name for path in data_dir.iterdir()] == ["raw"]
    with pytest.raises(DataError, match="is not in"):
        prepared.read_info("shapes", data_dir, registry)


def test_torchvision_without_a_network_is_reported(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(DataError, match=r"cifar10 could not be downloaded \(OSError: Network"):
        fetch("cifar10", data_dir, registry)
    assert not (data_dir / "cifar10").exists()


def test_a_set_that_cannot_be_downloaded_says_how_to_import_it(
    data_dir: Path, registry: Registry
) -> None:
    with pytest.raises(DataError, match="data import pets FILE"):
        fetch("pets", data_dir, registry)


def test_fetch_does_not_replace_a_subset_unasked(
    make_tree: MakeTree, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
) -> None:
    subset = bring("shapes", make_tree(*SHAPES))
    with pytest.raises(DataError, match=r"is a subset \(3 train, 3 test.*--replace"):
        fetch("shapes", data_dir, registry)
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch("shapes", data_dir, registry, replace=True)
    assert prepared.read_info("shapes", data_dir, registry) == subset


def test_fetch_leaves_a_full_set_alone(
    pets: Path, bring: Callable[..., DataInfo], data_dir: Path, registry: Registry
) -> None:
    there = bring("pets", pets)
    assert fetch("pets", data_dir, registry) == there


# ---------------------------------------------------------------------------------- real data


@pytest.fixture(scope="module")
def imported(
    real_data: Callable[[str], Path],
    registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], prepared.Prepared]:
    """Imports one of the real subsets, once for all tests."""
    folder = tmp_path_factory.mktemp("real")

    def get(name: str) -> prepared.Prepared:
        source = real_data(f"{name}-12k.zip")
        if not prepared.exists(name, folder):
            import_tree(name, source, folder, registry)
        return prepared.load(name, folder, registry)

    return get


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_real_subsets_have_their_sizes_and_official_classes(
    name: str, imported: Callable[[str], prepared.Prepared]
) -> None:
    data = imported(name)
    classes = {"cifar10": 10, "cifar100": 100}[name]
    assert data.train.inputs.shape == (10_000, 32, 32, 3)
    assert data.test.inputs.shape == (2_000, 32, 32, 3)
    assert data.info.n_classes == classes
    assert not data.info.full
    assert np.bincount(data.test.labels).tolist() == [2_000 // classes] * classes


def test_real_cifar100_has_as_many_images_of_each_class(
    imported: Callable[[str], prepared.Prepared],
) -> None:
    assert np.bincount(imported("cifar100").train.labels).tolist() == [100] * 100


def test_real_cifar10_lines_up_with_the_official_noisy_labels(
    imported: Callable[[str], prepared.Prepared], real_data: Callable[[str], Path]
) -> None:
    import torch

    train = imported("cifar10").train
    assert train.index.tolist() == list(range(10_000))
    # The official file holds numpy arrays, pickled by the numpy of its day.
    old = "numpy.core.multiarray._reconstruct"
    allowed = [
        (np.empty(0).__reduce__()[0], old),
        *(np.ndarray, np.dtype, type(np.dtype(np.int64))),
    ]
    with torch.serialization.safe_globals(allowed):
        labels = torch.load(real_data("CIFAR-10_human.pt"), weights_only=True)
    np.testing.assert_array_equal(train.labels, labels["clean_label"][train.index])
    assert (labels["worse_label"][train.index] != train.labels).mean() == pytest.approx(
        0.4, abs=0.02
    )
