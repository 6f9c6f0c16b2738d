"""Does a data set give what it declares? Nothing is downloaded: only bundled data are built."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from bench.api import Dataset
from bench.conformance.plugin_checks import COMMON
from bench.conformance.result import Requirement, Skipped
from bench.conformance.subject import Subject
from bench.data.arrays import fingerprint
from bench.errors import DataError

if TYPE_CHECKING:
    from bench.api import Split


class DatasetSubject(Subject):
    """A data set and, where it is bundled, its splits."""

    @cached_property
    def built(self) -> tuple[Split, Split, tuple[str, ...]]:
        """Built once. Raises ``Skipped`` when it would be downloaded."""
        if not self.info.declared["bundled"]:
            raise Skipped("not bundled, and checks download nothing")
        try:
            self.new().origin()
        except DataError:
            raise Skipped("reads the user's own files, which checks do not have") from None
        return self.build()

    def build(self) -> tuple[Split, Split, tuple[str, ...]]:
        """Both splits and the class names, from an empty folder."""
        with tempfile.TemporaryDirectory() as folder:
            train, test, class_names = self.new().build(Path(folder) / "raw")
        return train, test, tuple(class_names)


def declarations(subject: DatasetSubject) -> str:
    """Guards imports: official names and sizes are what an import is checked against."""
    cls = cast("type[Dataset]", subject.cls)
    if len(set(cls.class_names)) < len(cls.class_names):
        raise subject.failed("class_names holds a name twice")
    if not cls.class_names and not cls.bundled and not cls.layout:
        raise subject.failed("class_names is empty; give the official names in the order of ids")
    if cls.official_size is not None and min(cls.official_size) < 1:
        raise subject.failed(f"official_size is {cls.official_size}; it is (train, test)")
    return f"{len(cls.class_names)} classes, official size {cls.official_size}"


def arrays(subject: DatasetSubject) -> str:
    """Guards training: arrays of the documented types, equally long, all labels in range."""
    train, test, class_names = subject.built
    for part, split in (("train", train), ("test", test)):
        n = len(split.labels)
        if not n or len(split.inputs) != n or len(split.index) != n:
            raise subject.failed(
                f"{part}: {len(split.inputs)} inputs, {n} labels, {len(split.index)} indices; they "
                f"must be equally many, and some",
                "build",
            )
        image = split.inputs.ndim == 4 and split.inputs.dtype == np.uint8
        table = split.inputs.ndim == 2 and split.inputs.dtype == np.float32
        if not image and not table:
            raise subject.failed(
                f"{part}: inputs are {split.inputs.shape} {split.inputs.dtype}; images are "
                f"(n, h, w, c) uint8, features (n, d) float32",
                "build",
            )
        for name in ("labels", "index"):
            if getattr(split, name).dtype != np.int64:
                raise subject.failed(
                    f"{part}: {name} is {getattr(split, name).dtype}, not int64", "build"
                )
        if split.labels.min() < 0 or split.labels.max() >= len(class_names):
            raise subject.failed(
                f"{part}: labels {split.labels.min()}..{split.labels.max()} for "
                f"{len(class_names)} classes",
                "build",
            )
        if len(np.unique(split.index)) < n:
            raise subject.failed(f"{part}: an index is there twice", "build")
        if table and not np.isfinite(split.inputs).all():
            raise subject.failed(f"{part}: inputs are not finite", "build")
    if train.inputs.shape[1:] != test.inputs.shape[1:]:
        raise subject.failed("train and test inputs differ in shape", "build")
    return f"{len(train.labels)} training and {len(test.labels)} test samples"


def as_declared(subject: DatasetSubject) -> str:
    """Guards the word "full": the built data are those that were declared."""
    cls = cast("type[Dataset]", subject.cls)
    train, test, class_names = subject.built
    sizes = (len(train.labels), len(test.labels))
    if cls.official_size is not None and sizes != tuple(cls.official_size):
        raise subject.failed(f"built {sizes}, declared official_size {cls.official_size}")
    if cls.class_names and class_names != cls.class_names:
        raise subject.failed(f"built the classes {class_names}, declared {cls.class_names}")
    absent = set(range(len(class_names))) - set(train.labels.tolist())
    if absent:
        raise subject.failed(f"no training sample of class {class_names[min(absent)]!r}", "build")
    return f"{sizes[0]} + {sizes[1]}, every class present"


def repeatable(subject: DatasetSubject) -> str:
    """Guards the fingerprint, which is part of every run's identity."""
    first, second = fingerprint(*subject.built), fingerprint(*subject.build())
    if first != second:
        raise subject.failed("built twice it is not the same; fix every seed in build()", "build")
    return f"fingerprint {first[:12]}"


REQUIREMENTS = (
    *COMMON,
    Requirement("declarations", declarations),
    Requirement("arrays", arrays),
    Requirement("as declared", as_declared, ("arrays",)),
    Requirement("repeats", repeatable, ("arrays",)),
)
