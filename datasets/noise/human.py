"""Labels that people gave to CIFAR images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from bench.api import DataError, DataInfo, Incompatible, Noise, TrainingSet
from bench.data.label_files import LabelFile, read_labels
from datasets.noise.flip_file import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

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


class Human(Noise):
    """CIFAR-10N and CIFAR-100N: labels that paid annotators gave to the training images.

    ``aggre`` is the majority of three annotators, ``random1`` to ``random3`` are the annotators,
    ``worse`` is a wrong label where any of the three is wrong; ``fine`` is the one annotator of
    CIFAR-100, ``coarse`` the same on its 20 super-classes. Nothing is drawn: every seed has the
    same labels. They are aligned by each image's position in the official set, and the file's own
    true labels are compared with the data set's: one disagreement and it is refused.
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
        given, true = (file.given(column) for column in SETS[train.info.name][1][self.labels])
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
