"""Brings data in: a download through torchvision, or an offline copy.

An offline copy is a folder or a zip of ``train/<class>/*`` and ``test/<class>/*``. What is
prepared from it depends on nothing but the images, their classes and their names, so that the same
copy gives the same fingerprint on every machine, zipped or not.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api import DataInfo, Dataset, Listing, Split
from bench.data import arrays, prepared
from bench.data.images import decode
from bench.data.layouts import Survey, decode_square, survey
from bench.data.swap import scratch
from bench.data.tree import ImageFile, open_tree
from bench.errors import DataError, nearest

if TYPE_CHECKING:
    from bench.registry import Registry

log = logging.getLogger(__name__)

NUMBER = re.compile(r"[0-9]{1,18}")
"""A file stem that is a position in the canonical data set; 18 digits always fit an int64."""


def fetch(name: str, data_dir: Path, registry: Registry, *, replace: bool = False) -> DataInfo:
    """Prepare the full data set through its plugin; one that is there and intact is left alone.

    The download itself goes to ``DATA_DIR/raw/<name>``, which may be removed afterwards.

    Args:
        name: of a dataset plugin.
        data_dir: where prepared data sets lie.
        registry: knows the plugin.
        replace: put the full set in the place of a subset that was imported.

    Raises:
        PluginError: no such data set.
        DataError: it cannot be downloaded, or a subset is in its place.
    """
    registry.get("dataset", name)
    there = intact(name, data_dir, registry)
    if there is not None:
        if there.full:
            return there
        if not replace:
            raise DataError(
                f"{name} in {data_dir} is a subset ({summary(there)}); to put the full set in "
                f"its place, add --replace"
            )
    return prepared.build(name, data_dir, registry)


def import_copy(
    name: str,
    source: Path,
    data_dir: Path,
    registry: Registry,
    *,
    replace: bool = False,
    skip_missing: bool = False,
) -> DataInfo:
    """Prepare a data set from an offline copy: in its own layout where it has one, else a tree.

    Raises:
        PluginError: no such data set.
        DataError: the copy cannot be used, or another set is in its place.
    """
    declared = registry.get("dataset", name).declared
    if declared["derived_from"]:
        raise DataError(
            f"{name} is made of {declared['derived_from']}; import that: "
            f"python -m bench data import {declared['derived_from']} FILE"
        )
    if not declared["layout"]:
        return import_tree(name, source, data_dir, registry, replace=replace)
    arrays.check_place(name, data_dir)
    dataset: Dataset = registry.create("dataset", name, {})
    if type(dataset).read is not Dataset.read:
        if not source.exists():
            raise DataError(
                f"{source} is not there; give a copy of {dataset.name}:\n{dataset.layout}"
            )
        train, test, class_names = dataset.read(source)
        place = (name, data_dir, registry)
        title = dataset.describe()
        return _put(place, (train, test), class_names, source, replace=replace, title=title)
    listing, found = survey_layout(dataset, source)
    if found.missing and not skip_missing:
        raise DataError(
            f"{source}: {found.describe_missing()}\nTo go on without them: --skip-missing; they "
            f"are then not in the data set, which is shown as a subset"
        )
    for part in arrays.PARTS:
        if not found.found[part]:
            raise DataError(
                f"{source} has no {part} images of {dataset.name}; the layout is:\n"
                f"{declared['layout']}"
            )
    data_dir.mkdir(parents=True, exist_ok=True)
    with scratch(data_dir, f"{name}-decoded") as work:
        splits, whole = [], {}
        for part in arrays.PARTS:
            file = f"{part}_inputs.npy"
            whole[file] = work / file
            size: int = dataset.size  # type: ignore[attr-defined] # every layout has it
            splits.append(
                decode_square(found.found[part], size, whole[file], f"importing {name}, {part}")
            )
        return _put(
            (name, data_dir, registry),
            (splits[0], splits[1]),
            listing.class_names,
            source,
            replace=replace,
            whole=whole,
        )


def survey_layout(dataset: Dataset, source: Path) -> tuple[Listing, Survey]:
    """What a data set's layout lists in ``source``, and what of it is there."""
    if not source.is_dir():
        raise DataError(
            f"{source} is no folder; unpack {dataset.name} and give the folder:\n{dataset.layout}"
        )
    listing = dataset.list_files(source)
    return listing, survey(listing)


def import_tree(
    name: str, source: Path, data_dir: Path, registry: Registry, *, replace: bool = False
) -> DataInfo:
    """Prepare a data set from a folder or a zip of images; see ``tree`` for the layout.

    Both splits must have the same classes. Where the plugin declares ``class_names``, folders are
    named after them and get their official ids, and classes may be lacking; otherwise the ids
    follow the sorted folder names (by value where all are numbers).

    Where all file stems of a split are plain digits, they are the images' positions in the
    canonical data set, and the samples are sorted by them. Otherwise the samples are sorted by
    class id, then by file name, and numbered from 0.

    Args:
        name: of a dataset plugin.
        source: the folder or zip.
        data_dir: where prepared data sets lie.
        registry: knows the plugin.
        replace: replace a prepared set that differs.

    Returns:
        What is prepared now; nothing is written when the same set was there already.

    Raises:
        PluginError: no such data set.
        DataError: the copy cannot be used, or another set is in its place.
    """
    declared = registry.get("dataset", name).declared
    if declared["bundled"]:
        raise DataError(f"{name} ships with LIPBench and is prepared on first use; use it as it is")
    arrays.check_place(name, data_dir)
    with open_tree(source) as files:
        class_names = _class_names(files, declared["class_names"], name)
        ids = {class_name: i for i, class_name in enumerate(class_names)}
        train, train_index = _in_order(files, "train", ids)
        test, test_index = _in_order(files, "test", ids)
        _check_official(name, (train, test), (train_index, test_index), declared["official_size"])
        images = decode([*train, *test], f"importing {name}")
    splits = (
        Split(images[: len(train)], _labels(train, ids), train_index),
        Split(images[len(train) :], _labels(test, ids), test_index),
    )
    return _put((name, data_dir, registry), splits, class_names, source, replace=replace)


def _put(
    place: tuple[str, Path, Registry],
    splits: tuple[Split, Split],
    class_names: tuple[str, ...],
    source: Path,
    *,
    replace: bool,
    whole: Mapping[str, Path] | None = None,
    title: str | None = None,
) -> DataInfo:
    """Write an imported set unless the same is there; another one is replaced only if asked."""
    name, data_dir, registry = place
    there = intact(name, data_dir, registry)
    found = arrays.fingerprint(*splits, class_names)
    if there is not None and there.fingerprint == found:
        return there
    if there is not None and not replace:
        train, test = splits
        raise DataError(
            f"{name} is already prepared in {data_dir} and differs: there {summary(there)}; in "
            f"{source} {len(train.labels)} train, {len(test.labels)} test, fingerprint "
            f"{found[:12]}. To replace it, add --replace; its results stay, under the old "
            f"fingerprint"
        )
    if title is None:
        title = str(registry.create("dataset", name, {}).describe())
    origin = {"source": str(source.resolve())}
    arrays.write(name, data_dir, *splits, class_names, title, origin, whole=whole)
    return prepared.described(name, data_dir, registry)


def intact(name: str, data_dir: Path, registry: Registry) -> DataInfo | None:
    """The prepared set, after its fingerprint was checked; None when absent or damaged."""
    if not arrays.exists(name, data_dir):
        return None
    try:
        return prepared.checked(name, data_dir, registry).info
    except DataError as error:
        log.warning("%s", str(error).partition(";")[0])
        return None


def summary(info: DataInfo) -> str:
    """Sizes and the beginning of the fingerprint."""
    return f"{info.n_train} train, {info.n_test} test, fingerprint {info.fingerprint[:12]}"


def _class_names(files: Sequence[ImageFile], official: Sequence[str], name: str) -> tuple[str, ...]:
    """The classes in the order of their ids."""
    classes = {part: {f.class_name for f in files if f.part == part} for part in arrays.PARTS}
    first = {(f.part, f.class_name): f for f in reversed(files)}
    if official:
        for (_, class_name), file in sorted(first.items(), key=lambda item: item[0]):
            if class_name not in official:
                raise DataError(
                    f"{file.where}: rename the folder; {class_name!r} is no class of {name}"
                    f"{nearest(class_name, official)}"
                )
    for part, other in (("train", "test"), ("test", "train")):
        alone = sorted(classes[part] - classes[other])
        if alone:
            raise DataError(
                f"{first[part, alone[0]].where}: class {alone[0]!r} is in {part}/ but not in "
                f"{other}/ ({len(alone)} such); every class needs images in both"
            )
    if len(classes["train"]) < 2:
        raise DataError(
            f"{files[0].where}: {files[0].class_name!r} is the only class; a classifier needs two"
        )
    if official:
        return tuple(official)
    found = classes["train"]
    if all(NUMBER.fullmatch(class_name) for class_name in found):
        return tuple(sorted(found, key=lambda class_name: (int(class_name), class_name)))
    return tuple(sorted(found))


def _in_order(
    files: Sequence[ImageFile], part: str, ids: Mapping[str, int]
) -> tuple[list[ImageFile], np.ndarray[Any, Any]]:
    """The files of a split in the order of its samples, and the index of each."""
    chosen = [file for file in files if file.part == part]
    if not all(NUMBER.fullmatch(file.stem) for file in chosen):
        chosen.sort(key=lambda file: (ids[file.class_name], file.name))
        return chosen, np.arange(len(chosen), dtype=np.int64)
    chosen.sort(key=lambda file: int(file.stem))
    for one, other in itertools.pairwise(chosen):
        if int(one.stem) == int(other.stem):
            raise DataError(
                f"{one.where} and {other.where} both claim position {int(one.stem)} of {part}: "
                f"file names of digits only are positions in the whole data set. Give each image "
                f"its own, or names such as {other.class_name}_{other.name} where it has none"
            )
    return chosen, np.array([int(file.stem) for file in chosen], dtype=np.int64)


def _check_official(
    name: str,
    splits: tuple[Sequence[ImageFile], ...],
    indices: tuple[np.ndarray[Any, Any], ...],
    official: Sequence[int] | None,
) -> None:
    """No position may lie outside the official data set."""
    for files, index, size in zip(splits, indices, official or (), strict=False):
        if index[-1] >= size:
            last = files[int(index.argmax())]
            raise DataError(
                f"{last.where} would be position {index.max()} of {name}, whose {last.part} set "
                f"has positions 0 to {size - 1}; number the images from 0, or check the name"
            )


def _labels(files: Sequence[ImageFile], ids: Mapping[str, int]) -> np.ndarray[Any, Any]:
    return np.array([ids[file.class_name] for file in files], dtype=np.int64)
