"""Prepared data sets: found, checked, and made (again) of what they come from."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.api import DataInfo, Dataset, Split
from bench.data.arrays import (
    Prepared,
    check_place,
    exists,
    fingerprint,
    folder,
    read_arrays,
    sizes,
    write,
)
from bench.data.remedy import import_command, missing, remedy
from bench.data.swap import one_line
from bench.errors import DataError
from bench.registry import Registry

log = logging.getLogger(__name__)

RAW = "raw"
"""Folder of ``DATA_DIR`` for downloads."""


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
        raise DataError(missing(name, data_dir, registry))
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        counts = (int(meta["n_train"]), int(meta["n_test"]))
        official = declared["official_size"]
        return DataInfo(
            name=name,
            fingerprint=str(meta["fingerprint"]),
            n_train=counts[0],
            n_test=counts[1],
            class_names=tuple(meta["class_names"]),
            shape=tuple(meta["shape"]),
            full=official is None or counts == tuple(official),
            truth=bool(meta.get("truth", declared["truth"])),
            given=bool(meta.get("given", False)),
            partial=bool(meta.get("partial", False)),
            n_folds=int(meta.get("n_folds", 0)),
            n_canonical=declared["canonical_size"] or (official or counts)[0],
            title=str(meta.get("title", "")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is damaged ({type(error).__name__}: {one_line(error)}); "
            f"{remedy(name, data_dir, registry)}"
        ) from None


def checked(name: str, data_dir: Path, registry: Registry) -> Prepared:
    """As ``load``, but prepares nothing: what lies there is right, or it is an error.

    Raises:
        DataError: absent, or changed since it was prepared; the message says what differs.
    """
    info = described(name, data_dir, registry)
    place = folder(name, data_dir)
    try:
        train, test = read_arrays(place)
    except DataError as error:
        raise DataError(f"{error}; {remedy(name, data_dir, registry)}") from None
    found = fingerprint(train, test, info.class_names)
    if found != info.fingerprint:
        changed = f"fingerprint {found[:12]}, expected {info.fingerprint[:12]}"
    elif sizes(train, test) != (info.n_train, info.n_test, info.shape):
        changed = "meta.json gives other sizes than the arrays have"
    else:
        return Prepared(info, train, test)
    raise DataError(
        f"{place} was changed after it was prepared ({changed}); {remedy(name, data_dir, registry)}"
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
        train, test, class_names = _built(name, dataset, data_dir, registry)
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
    name: str, dataset: Dataset, data_dir: Path, registry: Registry
) -> tuple[Split, Split, tuple[str, ...]]:
    bundled = registry.get("dataset", name).declared["bundled"]
    try:
        return dataset.build(data_dir / RAW / dataset.name)
    except DataError as error:
        if bundled:
            raise
        raise DataError(f"{error}:\n{import_command(name, data_dir, registry)}") from error
    except Exception as error:
        cause = f"({type(error).__name__}: {one_line(error)})"
        if bundled:
            raise DataError(f"{name} could not be prepared {cause}") from error
        raise DataError(
            f"{name} could not be downloaded {cause}.\n{missing(name, data_dir, registry)}"
        ) from error


def _truth(dataset: Dataset) -> bool:
    """Whether labels are true: a plugin may have that as a parameter, so ask the instance."""
    return bool(dataset.truth)


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
