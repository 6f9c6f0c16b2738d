"""Data sets through torchvision, read from files in the very format that it downloads."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from scipy.io import savemat

from bench.data import arrays, prepared
from bench.data.importer import fetch
from bench.errors import DataError
from bench.registry import Registry
from datasets.stl10 import Stl10


def idx(array: np.ndarray) -> bytes:
    """The format of the MNIST files."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def mnist_like(raw: Path, folder: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    place = raw / folder / "raw"
    place.mkdir(parents=True)
    images, labels = rng.integers(0, 256, (30, 28, 28)), np.arange(30) % 10
    for part, rows in (("train", slice(0, 20)), ("t10k", slice(20, 30))):
        (place / f"{part}-images-idx3-ubyte").write_bytes(idx(images[rows]))
        (place / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels[rows]))
    return images, labels


@pytest.mark.parametrize(
    ("name", "folder"),
    [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")],
)
def test_the_mnists_keep_order_labels_and_pixels(
    name: str, folder: str, data_dir: Path, registry: Registry
) -> None:
    images, labels = mnist_like(data_dir / "raw" / name, folder)
    info = fetch(name, data_dir, registry)
    found = prepared.load(name, data_dir, registry)
    np.testing.assert_array_equal(found.train.inputs[..., 0], images[:20])
    np.testing.assert_array_equal(found.test.inputs[..., 0], images[20:])
    np.testing.assert_array_equal(found.train.labels, labels[:20])
    assert info.shape == (1, 28, 28)
    assert info.n_classes == 10
    assert not info.full


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324 - torchvision's own checksum


def svhn(raw: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    from torchvision.datasets import SVHN

    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images, table = {}, {}
    for part, (url, file, _) in SVHN.split_list.items():
        if part == "extra":
            continue
        images[part] = rng.integers(0, 256, (32, 32, 3, 12)).astype(np.uint8)
        labels = (np.arange(12) % 10 + 1)[:, None]  # 10 stands for the digit 0
        savemat(raw / file, {"X": images[part], "y": labels})
        table[part] = [url, file, md5(raw / file)]
    monkeypatch.setattr(SVHN, "split_list", table)
    return images


def test_svhn_keeps_order_and_calls_ten_zero(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = svhn(data_dir / "raw" / "svhn", monkeypatch)
    fetch("svhn", data_dir, registry)
    train = prepared.load("svhn", data_dir, registry).train
    np.testing.assert_array_equal(train.inputs, images["train"].transpose(3, 0, 1, 2))
    assert train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]


def stl10(raw: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    from torchvision.datasets import STL10

    place = raw / "stl10_binary"
    place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 3, 96, 96)).astype(np.uint8)  # columns before rows
    names = "\n".join(Stl10.class_names)
    (place / "class_names.txt").write_text(names)
    for part in ("train", "test"):
        (place / f"{part}_X.bin").write_bytes(images.tobytes())
        (place / f"{part}_y.bin").write_bytes((np.arange(8) % 10 + 1).astype(np.uint8).tobytes())
    for attribute in ("train_list", "test_list"):
        listed = [
            [file, md5(place / file)]
            for file, _ in getattr(STL10, attribute)
            if (place / file).exists()
        ]
        monkeypatch.setattr(STL10, attribute, listed)
    return images


def test_stl10_turns_columns_into_rows(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = stl10(data_dir / "raw" / "stl10", monkeypatch)
    fetch("stl10", data_dir, registry)
    train = prepared.load("stl10", data_dir, registry).train
    np.testing.assert_array_equal(train.inputs, images.transpose(0, 3, 2, 1))
    assert train.labels.tolist() == list(range(8))


def no_network(*_: Any, **__: Any) -> None:
    raise URLError("no network")


def test_a_file_with_a_wrong_md5_is_refused_and_prepares_nothing(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    svhn(data_dir / "raw" / "svhn", monkeypatch)
    file = data_dir / "raw" / "svhn" / "train_32x32.mat"
    file.write_bytes(file.read_bytes()[:-5] + b"wrong")
    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", no_network)
    with pytest.raises(DataError, match="svhn could not be downloaded") as caught:
        fetch("svhn", data_dir, registry)
    assert "data import svhn FILE" in str(caught.value)
    assert not arrays.exists("svhn", data_dir)


def test_a_damaged_cache_is_made_again_from_the_download(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist_like(data_dir / "raw" / "mnist", "MNIST")
    before = fetch("mnist", data_dir, registry)
    file = data_dir / "mnist" / "train_inputs.npy"
    file.write_bytes(file.read_bytes()[:-5] + b"wrong")
    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", no_network)
    assert prepared.load("mnist", data_dir, registry).info == before


def test_a_truncated_archive_is_refused_and_prepares_nothing(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = data_dir / "raw" / "mnist" / "MNIST" / "raw"
    place.mkdir(parents=True)
    whole = gzip.compress(idx(np.zeros((20, 28, 28))))
    (place / "train-images-idx3-ubyte.gz").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", no_network)
    with pytest.raises(DataError, match="mnist could not be downloaded"):
        fetch("mnist", data_dir, registry)
    assert not arrays.exists("mnist", data_dir)


def test_cluttered_digits_are_the_digits_somewhere_among_fragments(
    tmp_path: Path, registry: Registry
) -> None:
    plain = prepared.load("digits", tmp_path, registry)
    cluttered = prepared.load("cluttered-digits", tmp_path, registry)
    for part in ("train", "test"):
        digits, canvases = getattr(plain, part), getattr(cluttered, part)
        np.testing.assert_array_equal(canvases.labels, digits.labels)
        for row in range(0, len(digits.labels), 40):
            digit, canvas = digits.inputs[row, ..., 0], canvases.inputs[row, ..., 0]
            windows = np.lib.stride_tricks.sliding_window_view(canvas, (8, 8))
            assert (windows >= digit).all(axis=(2, 3)).any()


def test_cluttered_digits_are_the_same_everywhere(tmp_path: Path, registry: Registry) -> None:
    """A NumPy whose generators draw otherwise would make another data set of it: then say so."""
    info = prepared.load("cluttered-digits", tmp_path, registry).info
    assert info.fingerprint.startswith("bba308f6a1d96d1f")


def test_coarse_classes_are_made_of_the_fine_ones_and_follow_them(
    data_dir: Path, registry: Registry
) -> None:
    from bench.api import Split
    from datasets.cifar100 import Cifar100
    from datasets.noise.asymmetric import SUPERCLASSES

    def split(n: int, seed: int) -> Split:
        rng = np.random.default_rng(seed)
        images = rng.integers(0, 256, (n, 4, 4, 3)).astype(np.uint8)
        return Split(images, rng.permutation(np.arange(n) % 100), np.arange(n))

    arrays.write("cifar100", data_dir, split(300, 0), split(100, 1), Cifar100.class_names)
    coarse = prepared.load("cifar100-coarse", data_dir, registry)
    fine = prepared.load("cifar100", data_dir, registry)
    for i in range(300):
        name = Cifar100.class_names[fine.train.labels[i]]
        assert name in SUPERCLASSES[coarse.train.labels[i]].split()
    arrays.write("cifar100", data_dir, split(200, 2), split(100, 3), Cifar100.class_names)
    assert prepared.load("cifar100-coarse", data_dir, registry).info.n_train == 200


def test_coarse_classes_without_the_fine_ones_say_what_to_bring(
    data_dir: Path, registry: Registry
) -> None:
    with pytest.raises(DataError, match="cifar100 is not in"):
        prepared.load("cifar100-coarse", data_dir, registry)
