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
from collections.abc import Iterable, Mapping
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

RAW = "raw"
"""Folder of ``DATA_DIR`` for downloads."""
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
        info = described(name, data_dir, registry)
        stale = _stale(name, data_dir, registry)
    except DataError as error:
        return rebuild(name, data_dir, registry, error)
    return rebuild(name, data_dir, registry, DataError(stale)) if stale else info


def load(name: str, data_dir: Path, registry: Registry) -> Prepared:
    """The arrays, after their fingerprint was checked.

    A set that was changed or damaged is prepared anew where what it was made of is still there.

    Raises:
        DataError: absent, or damaged with nothing to make it of.
    """
    read_info(name, data_dir, registry)
    try:
        return checked(name, data_dir, registry)
    except DataError as error:
        rebuild(name, data_dir, registry, error)
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
            truth=bool(meta.get("truth", declared["truth"])),
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
    declared = registry.get("dataset", name).declared
    check_place(name, data_dir)
    dataset: Dataset = registry.create("dataset", name, {})
    if declared["derived_from"]:
        parent = load(declared["derived_from"], data_dir, registry)
        train, test, class_names = dataset.derive(parent.train, parent.test)
        origin: dict[str, Any] = {"parent": parent.info.fingerprint}
    else:
        train, test, class_names = _built(name, dataset, data_dir, declared["bundled"])
        raw = data_dir / RAW / dataset.name
        origin = {"raw": str(raw.resolve())} if raw.exists() else {}
        origin["stamp"] = stamp(dataset.origin())
    title = dataset.describe()
    write(name, data_dir, train, test, class_names, title, origin, truth=_truth(dataset))
    return described(name, data_dir, registry)


def stamp(paths: Iterable[Path]) -> list[list[Any]]:
    """Sizes and times of files, and of folders with all that is in them: equal if unchanged."""
    found = []
    for path in paths:
        entries = [path, *path.rglob("*")] if path.is_dir() else [path]
        facts = [entry.stat() for entry in entries if entry.exists()]
        newest = max((fact.st_mtime_ns for fact in facts), default=0)
        found.append([str(path), len(facts), sum(f.st_size for f in facts), newest])
    return found


def _built(
    name: str, dataset: Dataset, data_dir: Path, bundled: bool
) -> tuple[Split, Split, tuple[str, ...]]:
    try:
        return dataset.build(data_dir / RAW / dataset.name)
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


def _truth(dataset: Dataset) -> bool:
    """Whether labels are true: a plugin may have that as a parameter, so ask the instance."""
    return bool(dataset.truth)


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
        **({} if truth is None else {"truth": truth}),
        **({"origin": dict(origin)} if origin else {}),
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


def rebuild(name: str, data_dir: Path, registry: Registry, reason: DataError) -> DataInfo:
    """Prepare a data set anew from what it was made of: a bundled one, another set, or a copy.

    Raises:
        DataError: ``reason``, where there is nothing to make it of.
    """
    declared = registry.get("dataset", name).declared
    there = exists(name, data_dir)
    if declared["bundled"] or declared["derived_from"]:
        if there:
            log.warning("%s is prepared anew: %s", name, str(reason).partition(";")[0])
        return build(name, data_dir, registry)
    origin = read_origin(name, data_dir) if there else {}
    raw = str(origin.get("raw", ""))
    if raw and Path(raw).exists():
        log.warning("%s is prepared anew from %s: %s", name, raw, str(reason).partition(";")[0])
        return build(name, data_dir, registry)
    source = Path(str(origin.get("source", "")))
    if origin.get("source") and source.exists():
        from bench.data.importer import import_copy

        log.warning("%s is imported anew from %s: %s", name, source, str(reason).partition(";")[0])
        return import_copy(name, source, data_dir, registry, replace=True)
    raise reason


def read_origin(name: str, data_dir: Path) -> dict[str, Any]:
    """What a prepared data set was made of; empty where that is not known."""
    try:
        meta = json.loads((folder(name, data_dir) / "meta.json").read_text(encoding="utf-8"))
        return dict(meta.get("origin", {}))
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _stale(name: str, data_dir: Path, registry: Registry) -> str:
    """Why a prepared set is no longer what it was made of; empty when it is."""
    declared = registry.get("dataset", name).declared
    origin = read_origin(name, data_dir)
    if declared["derived_from"]:
        parent = read_info(declared["derived_from"], data_dir, registry)
        if origin.get("parent") != parent.fingerprint:
            return f"{parent.name} is another set now"
    elif origin.get("stamp"):
        dataset: Dataset = registry.create("dataset", name, {})
        if stamp(dataset.origin()) != origin["stamp"]:
            return "its files were changed"
    return ""


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
