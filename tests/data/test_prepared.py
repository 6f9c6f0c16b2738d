"""Prepared data sets: whole or absent, checked when they are read, safe to write at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from bench.api import Split
from bench.data import arrays, inventory, prepared
from bench.data.remedy import missing
from bench.errors import DataError, PluginError
from bench.registry import Registry

CLASSES = ("cat", "dog")


def split(n: int, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
    return Split(images, np.arange(n) % 2, np.arange(n))


READ_ONLY = Path("/sys/kernel")
"""A folder of a file system in which root cannot write either."""


def write_pets(data_dir: Path, seed: int = 0) -> None:
    arrays.write("pets", data_dir, split(6, seed), split(4, seed + 1), CLASSES)


def test_what_is_written_is_what_is_loaded(data_dir: Path, registry: Registry) -> None:
    write_pets(data_dir)
    loaded = prepared.load("pets", data_dir, registry)
    np.testing.assert_array_equal(loaded.train.inputs, split(6).inputs)
    np.testing.assert_array_equal(loaded.test.labels, split(4).labels)
    assert loaded.info.shape == (3, 4, 4)
    assert (loaded.info.n_train, loaded.info.n_test) == (6, 4)
    assert loaded.info.class_names == CLASSES


def test_fingerprint_depends_on_every_array_and_on_the_class_names() -> None:
    train, test = split(6), split(4)
    fingerprints = {
        arrays.fingerprint(train, test, CLASSES),
        arrays.fingerprint(train, test, ("dog", "cat")),
        arrays.fingerprint(test, train, CLASSES),
        arrays.fingerprint(Split(train.inputs, 1 - train.labels, train.index), test, CLASSES),
        arrays.fingerprint(Split(train.inputs, train.labels, train.index + 1), test, CLASSES),
        arrays.fingerprint(Split(255 - train.inputs, train.labels, train.index), test, CLASSES),
    }
    assert len(fingerprints) == 6


def test_a_set_that_is_not_there_gives_both_commands(data_dir: Path, registry: Registry) -> None:
    with pytest.raises(DataError) as caught:
        prepared.read_info("cifar10", data_dir, registry)
    assert "python -m bench data fetch cifar10" in str(caught.value)
    assert "python -m bench data import cifar10 FILE" in str(caught.value)
    assert f"--data-dir {data_dir}" in str(caught.value)


def test_a_set_with_a_layout_of_its_own_shows_it_and_no_download(
    data_dir: Path, registry: Registry
) -> None:
    with pytest.raises(DataError) as caught:
        prepared.read_info("animal10n", data_dir, registry)
    assert "python -m bench data import animal10n FOLDER" in str(caught.value)
    assert "testing/" in str(caught.value)
    assert "data fetch" not in str(caught.value)


def test_commands_name_the_data_folder_only_where_it_is_not_the_usual_one(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--data-dir" not in missing("cifar10", Path("data"), registry)
    monkeypatch.setenv("LIPBENCH_DATA_DIR", str(data_dir))
    assert "--data-dir" not in missing("cifar10", data_dir, registry)


def test_an_unknown_name_offers_the_nearest(data_dir: Path, registry: Registry) -> None:
    with pytest.raises(PluginError, match="did you mean 'cifar10'"):
        prepared.read_info("cifar01", data_dir, registry)


WRITTEN = sorted(
    name for name in arrays.CONTENTS.written if not any(extra in name for extra in arrays.EXTRAS)
)


@pytest.mark.parametrize("file", WRITTEN)
@pytest.mark.parametrize("damage", ["empty", "cut", "noise"])
def test_a_damaged_set_is_refused(
    file: str, damage: str, data_dir: Path, registry: Registry
) -> None:
    write_pets(data_dir)
    path = data_dir / "pets" / file
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[:-3],
            "noise": whole[:middle] + b"\xff\x00\xff" + whole[middle + 3 :],
        }[damage]
    )
    with pytest.raises(DataError, match="bring it again") as caught:
        prepared.load("pets", data_dir, registry)
    assert "data import pets FILE" in str(caught.value)


@pytest.mark.parametrize("file", [name for name in WRITTEN if name != "meta.json"])
def test_a_lost_array_is_refused(file: str, data_dir: Path, registry: Registry) -> None:
    write_pets(data_dir)
    (data_dir / "pets" / file).unlink()
    with pytest.raises(DataError, match=file):
        prepared.load("pets", data_dir, registry)


def test_sizes_that_were_edited_are_refused(data_dir: Path, registry: Registry) -> None:
    write_pets(data_dir)
    path = data_dir / "pets" / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "n_train": 50_000}))
    with pytest.raises(DataError, match=r"meta\.json gives other sizes"):
        prepared.load("pets", data_dir, registry)


def test_a_bundled_set_is_prepared_on_first_use(data_dir: Path, registry: Registry) -> None:
    info = prepared.read_info("digits", data_dir, registry)
    assert (info.n_train, info.n_test, info.full) == (1437, 360, True)


@pytest.mark.parametrize("file", ["meta.json", "train_inputs.npy", "test_labels.npy"])
def test_a_damaged_bundled_set_is_prepared_anew(
    file: str, data_dir: Path, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    before = prepared.read_info("digits", data_dir, registry)
    path = data_dir / "digits" / file
    path.write_bytes(path.read_bytes()[:-9])
    assert prepared.load("digits", data_dir, registry).info == before
    assert "digits is prepared anew" in caplog.text
    assert prepared.checked("digits", data_dir, registry).info == before


def test_verify_reports_damage_to_a_bundled_set_and_leaves_it(
    data_dir: Path, registry: Registry
) -> None:
    assert inventory.verify("digits", data_dir, registry).n_train == 1437
    path = data_dir / "digits" / "train_labels.npy"
    np.save(path, np.load(path)[::-1])
    for _ in range(2):
        with pytest.raises(DataError, match=r"changed .* prepared anew on its next use"):
            inventory.verify("digits", data_dir, registry)


def test_survey_tells_prepared_absent_bundled_and_damaged_apart(
    data_dir: Path, registry: Registry
) -> None:
    write_pets(data_dir)
    arrays.write("shapes", data_dir, split(6), split(4), ("star", "circle", "square"))
    (data_dir / "shapes" / "meta.json").write_text("{")
    states = {entry.name: entry for entry in inventory.survey(data_dir, registry)}
    assert states["pets"].state == "prepared"
    assert states["shapes"].state == "damaged"
    assert states["digits"].state == "bundled"
    assert states["cifar10"].state == "absent"
    assert "data fetch cifar10" in states["cifar10"].note
    assert states["pets"].as_dict()["n_train"] == 6
    assert not (data_dir / "digits").exists()


def test_sizes_other_than_the_official_ones_are_a_subset(
    data_dir: Path, registry: Registry
) -> None:
    arrays.write("shapes", data_dir, split(6), split(4), ("star", "circle", "square"))
    info = prepared.read_info("shapes", data_dir, registry)
    assert not info.full
    assert info.label == f"shapes[6/4 {info.fingerprint[:6]}]"


def test_replacing_keeps_noise_artefacts_and_leaves_nothing_else(data_dir: Path) -> None:
    write_pets(data_dir, seed=0)
    artefact = data_dir / "pets" / "noise" / "symmetric-0.npz"
    artefact.parent.mkdir()
    artefact.write_bytes(b"labels")
    write_pets(data_dir, seed=5)
    assert artefact.read_bytes() == b"labels"
    assert {path.name for path in data_dir.iterdir()} <= {"pets", ".pets.lock"}


def test_writing_the_same_set_again_does_not_touch_it(data_dir: Path) -> None:
    write_pets(data_dir)
    before = (data_dir / "pets").stat().st_ino
    write_pets(data_dir)
    assert (data_dir / "pets").stat().st_ino == before


def test_a_linked_folder_stays_a_link(tmp_path: Path, data_dir: Path, registry: Registry) -> None:
    elsewhere = tmp_path / "big-disk"
    elsewhere.mkdir()
    data_dir.mkdir()
    (data_dir / "pets").symlink_to(elsewhere, target_is_directory=True)
    write_pets(data_dir)
    assert (data_dir / "pets").is_symlink()
    assert (elsewhere / "meta.json").exists()


def test_somebodys_own_files_are_never_deleted(data_dir: Path) -> None:
    own = data_dir / "pets" / "train" / "cat" / "a.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    with pytest.raises(DataError, match="'train', which LIPBench did not write"):
        write_pets(data_dir)
    assert own.read_bytes() == b"mine"
    assert [path.name for path in data_dir.iterdir()] == ["pets"]


@pytest.mark.parametrize("in_the_way", ["data", "data/pets"])
def test_a_file_in_the_way_is_named(in_the_way: str, tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / in_the_way
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file")
    with pytest.raises(DataError, match=r"is a file where a folder is needed.*--data-dir"):
        write_pets(data_dir)
    assert path.read_text() == "a file"


@pytest.mark.skipif(not READ_ONLY.is_dir(), reason="no Linux: no folder in which root cannot write")
def test_a_read_only_data_folder_is_named() -> None:
    with pytest.raises(DataError, match=r"cannot write to /sys/kernel.*--data-dir"):
        write_pets(READ_ONLY)


def test_a_disk_that_fills_up_leaves_the_old_set(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pets(data_dir)
    before = prepared.read_info("pets", data_dir, registry)
    saved = []

    def full(path: Path, values: np.ndarray) -> None:
        saved.append(path)
        if len(saved) == 4:
            raise OSError(28, "No space left on device")
        path.write_bytes(values.tobytes())

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(DataError, match="No space left on device"):
        write_pets(data_dir, seed=7)
    assert prepared.load("pets", data_dir, registry).info == before
    assert {path.name for path in data_dir.iterdir()} <= {"pets", ".pets.lock"}


def test_a_failed_rename_puts_the_old_set_back(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pets(data_dir)
    before = prepared.read_info("pets", data_dir, registry)
    rename = os.rename

    def fails_into_place(source: Path, target: Path) -> None:
        if target == data_dir / "pets" and not source.name.endswith("-old"):
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_into_place)
    with pytest.raises(DataError, match="Input/output error"):
        write_pets(data_dir, seed=7)
    assert prepared.load("pets", data_dir, registry).info == before


def test_others_may_read_what_one_user_prepared(data_dir: Path) -> None:
    old = os.umask(0o022)
    try:
        write_pets(data_dir)
    finally:
        os.umask(old)
    assert stat.S_IMODE((data_dir / "pets").stat().st_mode) == 0o755


def test_processes_that_write_at_once_leave_one_whole_set(
    data_dir: Path, registry: Registry
) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_pets, args=(data_dir, i % 2)) for i in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 6
    prepared.load("pets", data_dir, registry)
    assert {path.name for path in data_dir.iterdir()} <= {"pets", ".pets.lock"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.zeros((6, 4, 4), dtype=np.uint8)}, "uint8 or"),
        ({"inputs": np.zeros((6, 4, 4, 3), dtype=np.float64)}, "uint8 or"),
        ({"inputs": np.zeros((5, 4, 4, 3), dtype=np.uint8)}, "differ in length"),
        ({"inputs": np.zeros((6, 5, 5, 3), dtype=np.uint8)}, "differ in shape"),
        ({"labels": np.full(6, 2)}, r"outside 0\.\.1"),
        ({"labels": np.zeros(6)}, r"labels must be \(n,\) int64"),
        ({"index": np.zeros(6, dtype=np.int64)}, "repeated position"),
        ({"index": np.arange(6) - 1}, "negative"),
        ({"labels": np.zeros(0, dtype=np.int64)}, "no samples"),
    ],
)
def test_arrays_that_break_the_contract_are_refused(
    change: dict[str, np.ndarray], message: str, data_dir: Path
) -> None:
    good = split(6)
    parts = {"inputs": good.inputs, "labels": good.labels, "index": good.index, **change}
    with pytest.raises(DataError, match=message):
        arrays.write("pets", data_dir, Split(**parts), split(4), CLASSES)
    assert not data_dir.exists()


@pytest.mark.parametrize("names", [("cat",), ("cat", "cat")])
def test_classes_need_two_different_names(names: tuple[str, ...], data_dir: Path) -> None:
    with pytest.raises(DataError, match="two or more classes"):
        arrays.write("pets", data_dir, split(6), split(4), names)
