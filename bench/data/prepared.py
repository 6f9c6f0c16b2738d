"""Prepared data sets: plain arrays in a folder, named by the hash of their content.

``DATA_DIR/<name>/`` holds ``meta.json`` and six ``.npy`` files. It appears whole or not at all: it
is built beside its place and renamed. Training memory-maps it and checks the fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.api import DataInfo, Dataset, Split
from bench.data.contract import validate
from bench.data.swap import Contents, one_line, refuse_foreign, staged
from bench.errors import DataError
from bench.registry import Registry

log = logging.getLogger(__name__)

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


def read_info(name: str, data_dir: Path, registry: Registry) -> DataInfo:
    """Describe a prepared data set; a bundled one is prepared now if need be.

    Raises:
        DataError: it is not there; the message gives the two commands that bring it.
    """
    try:
        return described(name, data_dir, registry)
    except DataError as error:
        return _build_bundled(name, data_dir, registry, error)


def load(name: str, data_dir: Path, registry: Registry) -> Prepared:
    """The arrays, after their fingerprint was checked; a damaged bundled set is prepared anew.

    Raises:
        DataError: absent, or changed since they were prepared.
    """
    try:
        return checked(name, data_dir, registry)
    except DataError as error:
        _build_bundled(name, data_dir, registry, error)
    return checked(name, data_dir, registry)


def described(name: str, data_dir: Path, registry: Registry) -> DataInfo:
    """As ``read_info``, but prepares nothing. The arrays are not looked at.

    Raises:
        DataError: absent, or its description is damaged.
    """
    declared = registry.get("dataset", name).declared
    path = folder(name, data_dir) / "meta.json"
    if not path.exists():
        raise DataError(missing(name, data_dir))
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
            truth=bool(declared["truth"] and meta.get("truth", True)),
            given=bool(meta.get("given", False)),
            partial=bool(meta.get("partial", False)),
            n_folds=int(meta.get("n_folds", 0)),
            n_canonical=declared["canonical_size"] or (official or sizes)[0],
            title=str(meta.get("title", "")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is damaged ({type(error).__name__}: {one_line(error)}); "
            f"{_remedy(name, data_dir, registry)}"
        ) from None


def checked(name: str, data_dir: Path, registry: Registry) -> Prepared:
    """As ``load``, but prepares nothing: what lies there is right, or it is an error.

    Raises:
        DataError: absent, or changed since it was prepared; the message says what differs.
    """
    info = described(name, data_dir, registry)
    place = folder(name, data_dir)
    try:
        train, test = _read_arrays(place)
    except DataError as error:
        raise DataError(f"{error}; {_remedy(name, data_dir, registry)}") from None
    found = fingerprint(train, test, info.class_names)
    if found != info.fingerprint:
        changed = f"fingerprint {found[:12]}, expected {info.fingerprint[:12]}"
    elif _sizes(train, test) != (info.n_train, info.n_test, info.shape):
        changed = "meta.json gives other sizes than the arrays have"
    else:
        return Prepared(info, train, test)
    raise DataError(
        f"{place} was changed after it was prepared ({changed}); "
        f"{_remedy(name, data_dir, registry)}"
    )


def build(name: str, data_dir: Path, registry: Registry) -> DataInfo:
    """Prepare a data set from what its plugin bundles or downloads.

    Raises:
        DataError: it could not be had; the message says how to bring it otherwise.
    """
    bundled = registry.get("dataset", name).declared["bundled"]
    check_place(name, data_dir)
    dataset: Dataset = registry.create("dataset", name, {})
    try:
        train, test, class_names = dataset.build(data_dir / "raw" / name)
    except DataError as error:
        if bundled:
            raise
        raise DataError(f"{error}:\n{_import_command(name, data_dir)}") from error
    except Exception as error:
        cause = f"({type(error).__name__}: {one_line(error)})"
        if bundled:
            raise DataError(f"{name} could not be prepared {cause}") from error
        raise DataError(
            f"{name} could not be downloaded {cause}.\n{missing(name, data_dir)}"
        ) from error
    write(name, data_dir, train, test, class_names, title=dataset.describe())
    return described(name, data_dir, registry)


def write(
    name: str,
    data_dir: Path,
    train: Split,
    test: Split,
    class_names: tuple[str, ...],
    title: str = "",
) -> None:
    """Put a data set in its place, whole or not at all; one that was there is replaced.

    Several processes may write the same set at once: a whole one remains.

    Raises:
        DataError: the splits are not what ``Split`` promises, or the folder cannot be written.
    """
    validate(name, train, test, class_names)
    n_train, n_test, shape = _sizes(train, test)
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
    }

    # Resolved, so that a link to another disk stays a link.
    place = folder(name, data_dir).resolve()

    def same() -> bool:
        try:
            if json.loads((place / "meta.json").read_text(encoding="utf-8")) != meta:
                return False
            found = fingerprint(*_read_arrays(place), class_names)
        except (OSError, ValueError, DataError):
            return False
        return bool(found == meta["fingerprint"])

    with staged(place, CONTENTS, same) as stage:
        for part, split in zip(PARTS, (train, test), strict=True):
            for array in _arrays(split):
                np.save(stage / f"{part}_{array}.npy", getattr(split, array))
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


def missing(name: str, data_dir: Path) -> str:
    """What to type when a data set is not there."""
    return f"{name} is not in {data_dir}. Bring it with one of:\n{_commands(name, data_dir)}"


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


def _remedy(name: str, data_dir: Path, registry: Registry) -> str:
    if registry.get("dataset", name).declared["bundled"]:
        return "it is prepared anew on its next use"
    return f"bring it again with one of:\n{_commands(name, data_dir)}"


def _commands(name: str, data_dir: Path) -> str:
    return (
        f"  python -m bench data fetch {name}{_option(data_dir)}          "
        f"(downloads it through torchvision)\n{_import_command(name, data_dir)}"
    )


def _import_command(name: str, data_dir: Path) -> str:
    return (
        f"  python -m bench data import {name} FILE{_option(data_dir)}    "
        f"(a folder or zip of train/<class>/*, test/<class>/*)"
    )


def _option(data_dir: Path) -> str:
    """The option without which the command would look elsewhere."""
    usual = Path(os.environ.get("LIPBENCH_DATA_DIR") or "data")
    return "" if data_dir == usual else f" --data-dir {shlex.quote(str(data_dir))}"


def _build_bundled(name: str, data_dir: Path, registry: Registry, reason: DataError) -> DataInfo:
    if not registry.get("dataset", name).declared["bundled"]:
        raise reason
    if exists(name, data_dir):
        log.warning("%s is prepared anew: %s", name, str(reason).partition(";")[0])
    return build(name, data_dir, registry)


def _rows(split: Split, rows: np.ndarray[Any, Any]) -> Split:
    """Some samples of a pool, without its folds."""
    arrays = {array: getattr(split, array)[rows] for array in _arrays(split) if array != "folds"}
    return Split(**arrays)


def _sizes(train: Split, test: Split) -> tuple[int, int, tuple[int, ...]]:
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


def _read_arrays(place: Path) -> tuple[Split, Split]:
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
