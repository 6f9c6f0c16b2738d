"""Prepared data sets: plain arrays in a folder, named by the hash of their content.

``DATA_DIR/<name>/`` holds ``meta.json`` and six ``.npy`` files. It appears whole or not at all: it
is built beside its place and renamed. Training memory-maps it and checks the fingerprint.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.api import DataInfo, Dataset, Split
from bench.errors import DataError
from bench.registry import Registry

log = logging.getLogger(__name__)

PARTS = ("train", "test")
ARRAYS = ("inputs", "labels", "index")


@dataclass(frozen=True)
class Prepared:
    """A data set ready to train on; arrays are read-only memory maps."""

    info: DataInfo
    train: Split
    test: Split


def folder(name: str, data_dir: Path) -> Path:
    """Where a prepared data set lies."""
    return data_dir / name


def read_info(name: str, data_dir: Path, registry: Registry) -> DataInfo:
    """Describe a prepared data set; a bundled one is prepared now if need be.

    Raises:
        DataError: it is not there; the message gives the two commands that bring it.
    """
    declared = registry.get("dataset", name).declared
    path = folder(name, data_dir) / "meta.json"
    if not path.exists():
        if not declared["bundled"]:
            raise DataError(missing(name, data_dir))
        build(name, data_dir, registry)
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        sizes = (int(meta["n_train"]), int(meta["n_test"]))
        official = declared["official_size"]
        return DataInfo(
            name=name,
            fingerprint=str(meta["fingerprint"]),
            n_train=sizes[0],
            n_test=sizes[1],
            class_names=tuple(meta["class_names"]),
            shape=tuple(meta["shape"]),
            full=official is None or sizes == tuple(official),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is damaged ({error}); remove {path.parent} and prepare it again:\n"
            f"{_commands(name)}"
        ) from None


def load(name: str, data_dir: Path, registry: Registry) -> Prepared:
    """The arrays, after their fingerprint was checked.

    Raises:
        DataError: absent, or changed since they were prepared.
    """
    info = read_info(name, data_dir, registry)
    splits = _read_arrays(folder(name, data_dir))
    found = fingerprint(splits[0], splits[1], info.class_names)
    if found != info.fingerprint:
        raise DataError(
            f"{folder(name, data_dir)} was changed after it was prepared (fingerprint "
            f"{found[:12]}, expected {info.fingerprint[:12]}); remove it and type:\n"
            f"{_commands(name)}"
        )
    return Prepared(info, *splits)


def build(name: str, data_dir: Path, registry: Registry) -> DataInfo:
    """Prepare a data set from what its plugin bundles or downloads.

    Raises:
        DataError: it could not be had; the message says how to bring it otherwise.
    """
    dataset: Dataset = registry.create("dataset", name, {})
    try:
        train, test, class_names = dataset.build(data_dir / "raw" / name)
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{name} could not be downloaded ({type(error).__name__}: {error}).\n"
            f"{missing(name, data_dir)}"
        ) from error
    write(name, data_dir, train, test, class_names)
    return read_info(name, data_dir, registry)


def write(
    name: str, data_dir: Path, train: Split, test: Split, class_names: tuple[str, ...]
) -> None:
    """Put a data set in its place, whole or not at all; one that was there is replaced."""
    _validate(name, train, test, class_names)
    with _staging(name, data_dir) as stage:
        for part, split in zip(PARTS, (train, test), strict=True):
            for array in ARRAYS:
                np.save(stage / f"{part}_{array}.npy", getattr(split, array))
        shape = train.inputs.shape[1:]
        meta = {
            "name": name,
            "fingerprint": fingerprint(train, test, class_names),
            "n_train": len(train.labels),
            "n_test": len(test.labels),
            "class_names": list(class_names),
            "shape": [shape[2], shape[0], shape[1]] if len(shape) == 3 else list(shape),
        }
        (stage / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")


def fingerprint(train: Split, test: Split, class_names: tuple[str, ...]) -> str:
    """sha256 over class names and all arrays with their types and shapes."""
    digest = hashlib.sha256(json.dumps(list(class_names)).encode())
    for split in (train, test):
        for array in ARRAYS:
            values = np.ascontiguousarray(getattr(split, array))
            digest.update(f"{array} {values.dtype.str} {values.shape}".encode())
            digest.update(values.data)
    return digest.hexdigest()


def missing(name: str, data_dir: Path) -> str:
    """What to type when a data set is not there."""
    return f"{name} is not in {data_dir}. Bring it with one of:\n{_commands(name)}"


def _commands(name: str) -> str:
    return (
        f"  python -m bench data fetch {name}          (downloads it through torchvision)\n"
        f"  python -m bench data import {name} FILE    (a folder or zip of train/<class>/*, "
        f"test/<class>/*)"
    )


def _read_arrays(path: Path) -> tuple[Split, Split]:
    try:
        train, test = (
            Split(*(np.load(path / f"{part}_{array}.npy", mmap_mode="r") for array in ARRAYS))
            for part in PARTS
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is damaged ({error}); remove it and type:\n{_commands(path.name)}"
        ) from None
    return train, test


def _validate(name: str, train: Split, test: Split, class_names: tuple[str, ...]) -> None:
    for part, split in zip(PARTS, (train, test), strict=True):
        n = len(split.labels)
        if not n:
            raise DataError(f"{name}: the {part} split has no samples")
        if len(split.inputs) != n or len(split.index) != n:
            raise DataError(f"{name}: inputs, labels and index of {part} differ in length")
        if split.labels.min() < 0 or split.labels.max() >= len(class_names):
            raise DataError(f"{name}: a {part} label is outside 0..{len(class_names) - 1}")


@contextmanager
def _staging(name: str, data_dir: Path) -> Iterator[Path]:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=data_dir))
    except OSError as error:
        raise DataError(
            f"cannot write to {data_dir} ({error.strerror}); choose another with --data-dir "
            f"or LIPBENCH_DATA_DIR"
        ) from None
    try:
        yield stage
        place = folder(name, data_dir)
        aside = stage.with_name(stage.name + "-old")
        with contextlib.suppress(FileNotFoundError):
            os.rename(place, aside)
        try:
            os.rename(stage, place)
        except OSError:
            # Another process prepared the same set in this moment; one of the two is enough.
            log.debug("%s appeared while it was prepared", place)
        shutil.rmtree(aside, ignore_errors=True)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def as_dict(info: DataInfo) -> dict[str, Any]:
    """JSON form of a data set's description."""
    return {
        "name": info.name,
        "fingerprint": info.fingerprint,
        "n_train": info.n_train,
        "n_test": info.n_test,
        "class_names": list(info.class_names),
        "shape": list(info.shape),
        "full": info.full,
    }
