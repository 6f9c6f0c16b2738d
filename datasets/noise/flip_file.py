"""Labels from a file: those that a published table was trained on, or a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from bench.api import DataError, DataInfo, Field, Incompatible, Noise, TrainingSet
from bench.data.label_files import LabelFile, read_labels

if TYPE_CHECKING:
    from collections.abc import Sequence


class FlipFile(Noise):
    """Given labels from a csv, json, npy or pt file, one for each image of the official set.

    A file without a column of true labels is believed only if its labels agree with the data
    set's more often than chance (1/C and three standard deviations): labels of another data set,
    or in another order, do not. ``called`` and ``rate`` are how a paper calls this noise; they
    find published figures to stand beside, and change no label. Every seed has the same labels.
    """

    name = "flip-file"
    paper = "whoever released the file"
    example = {"file": "labels.csv"}  # noqa: RUF012
    file: str = ""
    column: str = ""
    called: str = ""
    rate: Annotated[float, Field(ge=0, le=1)] | None = None

    def check(self, data: DataInfo) -> None:
        """There must be a file to read."""
        if not self.file:
            raise Incompatible(
                "flip-file needs the file of the labels: a path, or a name in DATA_DIR/labels, as "
                "in {flip-file: {file: labels.csv}}"
            )

    def reads(self, train: TrainingSet) -> Sequence[str]:
        """The file's hash."""
        return (read_labels(train.file(self.file)).sha256,)

    def corrupt(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """The file's labels of the samples at hand."""
        file = read_labels(train.file(self.file))
        given = file.given(self.column)
        true = file.true(given)
        labels = aligned(file, given, true, train)
        if true is None:
            _refuse_chance(file, labels, train)
        return labels

    def describe(self) -> str:
        """The paper's name for it, else the file's."""
        name = self.called or Path(self.file).stem or self.name
        return name if self.rate is None else f"{name} {self.rate:g}"


def aligned(
    file: LabelFile,
    given: np.ndarray[Any, Any],
    true: np.ndarray[Any, Any] | None,
    train: TrainingSet,
) -> np.ndarray[Any, Any]:
    """Given labels ``(n,)`` of the samples at hand, by their canonical positions.

    Args:
        file: where they come from.
        given: one for each canonical position.
        true: the same with the file's true labels, to be compared with the data set's.
        train: the training set.

    Raises:
        DataError: another length, a label out of range, or true labels that differ.
    """
    data = train.info
    if len(given) != data.n_canonical:
        raise DataError(
            f"{file.path} holds {len(given):,} labels, but the training set of {data.name} has "
            f"{data.n_canonical:,} positions; is it a file of another data set?"
        )
    if given.max() >= data.n_classes:
        raise DataError(
            f"{file.path} has the label {given.max()} at position {int(given.argmax())}; "
            f"{data.name} has classes 0 to {data.n_classes - 1}"
        )
    if true is not None and data.truth:
        differs = np.flatnonzero(true[train.index] != train.labels)
        if len(differs):
            row = int(differs[0])
            raise DataError(
                f"{file.path}: its true labels differ from those of {data.label} in "
                f"{len(differs):,} of {len(train.labels):,} samples, first at position "
                f"{train.index[row]} ({true[train.index[row]]} there, {train.labels[row]} here). "
                f"It belongs to another data set, or the images here carry no position in the "
                f"official set: file names of an import are positions only if they are numbers"
            )
    return given[train.index]


def _refuse_chance(file: LabelFile, labels: np.ndarray[Any, Any], train: TrainingSet) -> None:
    data = train.info
    if not data.truth:
        return
    agreement = float((labels == train.labels).mean())
    chance = 1 / data.n_classes
    limit = chance + 3 * np.sqrt(chance * (1 - chance) / len(labels))
    if agreement <= limit:
        raise DataError(
            f"{file.path}: its labels agree with those of {data.label} in {100 * agreement:.1f} % "
            f"of the samples, no more than chance would ({100 * limit:.1f} %); they belong to "
            f"another data set, or are in another order"
        )
