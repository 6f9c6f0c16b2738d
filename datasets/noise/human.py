"""Labels that people gave to CIFAR images."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bench.api import DataError, DataInfo, Incompatible, Noise, TrainingSet
from bench.data.label_files import LabelFile, read_labels
from datasets.noise.flip_file import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

CIFAR10N, CIFAR100N = "CIFAR-10_human.pt", "CIFAR-100_human.pt"
RANDOM = {f"random{i}": (f"random_label{i}", "clean_label") for i in (1, 2, 3)}
SETS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "cifar10": (
        CIFAR10N,
        {
            "aggre": ("aggre_label", "clean_label"),
            **RANDOM,
            "worse": ("worse_label", "clean_label"),
        },
    ),
    "cifar100": (CIFAR100N, {"fine": ("noisy_label", "clean_label")}),
    "cifar100-coarse": (CIFAR100N, {"coarse": ("noisy_coarse_label", "clean_coarse_label")}),
}
"""Data set -> its label file, and which columns hold each kind of given and of true labels."""
SIZE = 50_000
RELEASED = {
    "aggre_label": "b3c3d486d22c3055756e7b1b1a0e98b099c1d68b771633023b0f76fa2e09ede6",
    "random_label1": "b5dc9007ae247a48ce267bec37a1310b0cd65ed73801ca7e595fb954902575a7",
    "random_label2": "1182c45d3a24636640fe1e3743b9566b6fabe86b2ed14f6b8216799e209a0d4e",
    "random_label3": "b51e116c617ded2c98be095ba8b3abae8adfa6caa54f7f6eedf50c7aed013d44",
    "worse_label": "a64d887522cf6d8f4966912a1536ea2d890600929a8465a7f307cdca2501847b",
    "noisy_label": "4a1efd5da7a214b299cf6ac0bafe3f0d48c065b7aa2d40aa185d4711714bb311",
    "noisy_coarse_label": "e9bf8a7532d69a39e87e638082366b9466ad36cf76305612532d50fc94123d49",
}
"""Column -> sha256 of its ``SIZE`` labels as little-endian 64-bit integers: those that published
figures stand on, however the file was saved."""


class Human(Noise):
    """CIFAR-10N and CIFAR-100N: labels that paid annotators gave to the training images.

    ``aggre`` is the majority of three annotators, ``random1`` to ``random3`` are the annotators,
    ``worse`` is a wrong label where any of the three is wrong; ``fine`` is the one annotator of
    CIFAR-100, ``coarse`` the same on its 20 super-classes. Nothing is drawn: every seed has the
    same labels. They are aligned by each image's position in the official set, and the file's own
    true labels are compared with the data set's: one disagreement and it is refused. So is a file
    of the official length whose labels are not those that were released.
    """

    name = "human"
    paper = "Wei et al., Learning with Noisy Labels Revisited, ICLR 2022, arXiv 2110.12088"
    files = {"cifar10n": CIFAR10N, "cifar100n": CIFAR100N}  # noqa: RUF012
    labels: Literal["aggre", "random1", "random2", "random3", "worse", "fine", "coarse"] = "worse"

    def check(self, data: DataInfo) -> None:
        """Only the images that those people saw have their labels."""
        if data.name not in SETS:
            raise Incompatible(f"human labels exist for {', '.join(SETS)}, not for {data.name}")
        known = SETS[data.name][1]
        if self.labels not in known:
            raise Incompatible(
                f"{data.name} has no human labels called {self.labels!r}; it has {', '.join(known)}"
            )

    def reads(self, train: TrainingSet) -> Sequence[str]:
        """The label file's hash."""
        return (self._file(train).sha256,)

    def corrupt(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """The annotators' labels of the images at hand."""
        file = self._file(train)
        columns = SETS[train.info.name][1][self.labels]
        given, true = (file.given(column) for column in columns)
        _refuse_edited(file, columns[0])
        try:
            return aligned(file, given, true, train)
        except DataError as error:  # a copy whose images carry no position can have no such labels
            raise Incompatible(str(error)) from None

    def describe(self) -> str:
        """Which of the label vectors."""
        return f"human {self.labels}"

    def _file(self, train: TrainingSet) -> LabelFile:
        name = SETS[train.info.name][0]
        try:
            return read_labels(train.file(name))
        except DataError as error:
            short = next(key for key, file in self.files.items() if file == name)
            raise DataError(
                f"{error}.\nBring the official file (github.com/UCSC-REAL/cifar-10-100n) with:\n"
                f"  python -m bench data import {short} FILE"
            ) from None


def _refuse_edited(file: LabelFile, column: str) -> None:
    labels = np.ascontiguousarray(file.columns[column], dtype="<i8")
    if len(labels) == SIZE and hashlib.sha256(labels.tobytes()).hexdigest() != RELEASED[column]:
        raise DataError(
            f"{file.path}: its {column} differs from the one that was released. Get the official "
            f"file again; labels of your own are used with {{flip-file: {{file: FILE, column: "
            f"{column}}}}}"
        )
