"""The format of a prepared data set: plain arrays in a folder, named by the hash of their content.

``DATA_DIR/<name>/`` holds ``meta.json`` and at least six ``.npy`` files. It appears whole or not at
all: it is built beside its place and renamed. Training memory-maps it and checks the fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.api import DataInfo, Split
from bench.data.contract import validate
from bench.data.swap import Contents, one_line, refuse_foreign, staged
from bench.errors import DataError

PARTS = ("train", "test")
ARRAYS = ("inputs", "labels", "index")
EXTRAS = ("given", "candidates", "folds")
"""Arrays that only some training splits have."""
CONTENTS = Contents(
    written=frozenset({"meta.json", *(f"{p}_{a}.npy" for p in PARTS for a in (*ARRAYS, *EXTRAS))}),
    kept=frozenset({"noise", "posterior"}),
)
"""Noise artefacts carry the fingerprint they belong to, so they stay when the arrays change."""


@dataclass(frozen=True)
class Prepared:
    """A data set ready to train on; arrays are read-only memory maps."""

    info: DataInfo
    train: Split
    test: Split

    def at(self, seed: int) -> Prepared:
        """The official split of a pool that belongs to a seed (modulo their number), else itself.

        Sizes in ``info`` become those of the split.
        """
        if self.train.folds is None:
            return self
        fold = self.train.folds[:, seed % self.info.n_folds]
        train, test = (_rows(self.train, np.flatnonzero(fold == part)) for part in (1, 2))
        test = replace(test, given=None, candidates=None)
        info = replace(self.info, n_train=len(train.labels), n_test=len(test.labels))
        return Prepared(info, train, test)


def folder(name: str, data_dir: Path) -> Path:
    """Where a prepared data set lies."""
    return data_dir / name


def exists(name: str, data_dir: Path) -> bool:
    """True when a prepared data set is in its place, intact or not."""
    return (folder(name, data_dir) / "meta.json").exists()


def check_place(name: str, data_dir: Path) -> None:
    """Raise ``DataError`` when somebody's own files lie where the data set would go."""
    refuse_foreign(folder(name, data_dir), CONTENTS)


def write(
    name: str,
    data_dir: Path,
    train: Split,
    test: Split,
    class_names: tuple[str, ...],
    title: str = "",
    origin: Mapping[str, Any] | None = None,
    *,
    truth: bool | None = None,
    whole: Mapping[str, Path] | None = None,
) -> None:
    """Put a data set in its place, whole or not at all; one that was there is replaced.

    Several processes may write the same set at once: a whole one remains.

    Args:
        name: of the data set, perhaps with a hash of its parameters.
        data_dir: where prepared data sets lie.
        train: its training split.
        test: its test split.
        class_names: in the order of their ids.
        title: to show for the name.
        origin: what it was made of, so that it can be made again.
        truth: whether training labels are true; None for what the plugin declares.
        whole: arrays that lie on the same disk as finished files, to be moved instead of copied.

    Raises:
        DataError: the splits are not what ``Split`` promises, or the folder cannot be written.
    """
    validate(name, train, test, class_names)
    n_train, n_test, shape = sizes(train, test)
    meta = {
        "name": name,
        "fingerprint": fingerprint(train, test, class_names),
        "n_train": n_train,
        "n_test": n_test,
        "class_names": list(class_names),
        "shape": list(shape),
        **({"given": True} if train.given is not None else {}),
        **({"partial": True} if train.candidates is not None else {}),
        **({"n_folds": train.folds.shape[1]} if train.folds is not None else {}),
        **({"title": title} if title else {}),
        **({} if truth is None else {"truth": truth}),
        **({"origin": dict(origin)} if origin else {}),
    }

    # Resolved, so that a link to another disk stays a link.
    place = folder(name, data_dir).resolve()

    def same() -> bool:
        try:
            if json.loads((place / "meta.json").read_text(encoding="utf-8")) != meta:
                return False
            found = fingerprint(*read_arrays(place), class_names)
        except (OSError, ValueError, DataError):
            return False
        return bool(found == meta["fingerprint"])

    with staged(place, CONTENTS, same) as stage:
        for part, split in zip(PARTS, (train, test), strict=True):
            for array in _arrays(split):
                file = f"{part}_{array}.npy"
                if whole and file in whole:
                    os.rename(whole[file], stage / file)
                else:
                    np.save(stage / file, getattr(split, array))
        (stage / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")


def fingerprint(train: Split, test: Split, class_names: tuple[str, ...]) -> str:
    """sha256 over class names and all arrays with their types and shapes."""
    digest = hashlib.sha256(json.dumps(list(class_names)).encode())
    for split in (train, test):
        for array in _arrays(split):
            values = np.ascontiguousarray(getattr(split, array))
            digest.update(f"{array} {values.dtype.str} {values.shape}".encode())
            digest.update(values.data)
    return digest.hexdigest()


def _arrays(split: Split) -> tuple[str, ...]:
    return (*ARRAYS, *(extra for extra in EXTRAS if getattr(split, extra) is not None))


def _rows(split: Split, rows: np.ndarray[Any, Any]) -> Split:
    """Some samples of a pool, without its folds."""
    arrays = {array: getattr(split, array)[rows] for array in _arrays(split) if array != "folds"}
    return Split(**arrays)


def sizes(train: Split, test: Split) -> tuple[int, int, tuple[int, ...]]:
    """Both sizes (of a pool's first split), and the shape of one sample as a network sees it.

    ``(c, h, w)`` or ``(d,)``.
    """
    shape = tuple(int(side) for side in train.inputs.shape[1:])
    if len(shape) == 3:
        shape = (shape[2], shape[0], shape[1])
    if train.folds is not None:
        first = train.folds[:, 0]
        return int((first == 1).sum()), int((first == 2).sum()), shape
    return len(train.labels), len(test.labels), shape


def read_arrays(place: Path) -> tuple[Split, Split]:
    """Both splits, memory-mapped. Raises ``DataError`` naming a damaged file."""
    splits = []
    for part in PARTS:
        arrays = {array: place / f"{part}_{array}.npy" for array in ARRAYS}
        extras = {extra: place / f"{part}_{extra}.npy" for extra in EXTRAS}
        arrays |= {extra: path for extra, path in extras.items() if path.exists()}
        loaded = {}
        for array, path in arrays.items():
            try:
                loaded[array] = np.load(path, mmap_mode="r", allow_pickle=False)
            except Exception as error:  # numpy fails in many ways on a damaged header
                raise DataError(f"{path} is damaged ({one_line(error)})") from None
        splits.append(Split(**loaded))
    return splits[0], splits[1]
