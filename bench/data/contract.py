"""What the arrays of a data set must be, whoever made them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.api import Split
from bench.errors import DataError


def validate(name: str, train: Split, test: Split, class_names: tuple[str, ...]) -> None:
    """Check both splits against ``bench.api.Split``.

    Raises:
        DataError: a type, a shape, a label or a position is not what it must be.
    """
    if len(class_names) < 2 or len(set(class_names)) != len(class_names):
        raise DataError(f"{name}: needs two or more classes, each with a name of its own")
    for part, split in (("train", train), ("test", test)):
        n = len(split.labels)
        if train.folds is not None and part == "test" and not n:
            continue
        if not n:
            raise DataError(f"{name}: the {part} split has no samples")
        if len(split.inputs) != n or len(split.index) != n:
            raise DataError(f"{name}: inputs, labels and index of {part} differ in length")
        if (split.inputs.dtype, split.inputs.ndim) not in ((np.uint8, 4), (np.float32, 2)):
            raise DataError(
                f"{name}: {part} inputs must be (n, h, w, c) uint8 or (n, d) float32, "
                f"not {split.inputs.shape} {split.inputs.dtype}"
            )
        _validate_integers(f"{name}: {part} labels", split.labels)
        _validate_integers(f"{name}: {part} index", split.index)
        if split.labels.min() < 0 or split.labels.max() >= len(class_names):
            raise DataError(f"{name}: a {part} label is outside 0..{len(class_names) - 1}")
        if split.given is not None:
            _validate_integers(f"{name}: {part} given", split.given)
            if part == "test" or len(split.given) != n:
                raise DataError(f"{name}: given labels belong to training samples, one to each")
            if split.given.min() < 0 or split.given.max() >= len(class_names):
                raise DataError(f"{name}: a given label is outside 0..{len(class_names) - 1}")
        _validate_candidates(name, part, split, len(class_names))
        if split.index.min() < 0 or len(np.unique(split.index)) != n:
            raise DataError(f"{name}: the {part} index has a negative or repeated position")
    if train.inputs.shape[1:] != test.inputs.shape[1:]:
        raise DataError(f"{name}: train and test inputs differ in shape")


def single_precision(where: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Features ``(n, d)`` as float32.

    Raises:
        DataError: one is not a number, infinite, or too large for float32; the first is named.
    """
    with np.errstate(over="ignore"):
        features = np.asarray(values, dtype=np.float32)
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{where}: feature {column} of sample {row} is {values[row, column]} "
            f"({len(bad):,} such), no finite number in single precision; fill or drop them first"
        )
    return features


def _validate_integers(what: str, values: np.ndarray[Any, Any]) -> None:
    if values.dtype != np.int64 or values.ndim != 1:
        raise DataError(f"{what} must be (n,) int64, not {values.shape} {values.dtype}")


def _validate_candidates(name: str, part: str, split: Split, n_classes: int) -> None:
    n, sets, folds = len(split.labels), split.candidates, split.folds
    if sets is not None:
        if part == "test" or sets.shape != (n, n_classes) or sets.dtype != np.bool_:
            raise DataError(
                f"{name}: candidate sets must be ({n}, {n_classes}) bool, of training samples only"
            )
        empty = np.flatnonzero(~sets.any(axis=1))
        if len(empty):
            raise DataError(
                f"{name}: the candidate set of training sample {empty[0]} is empty "
                f"({len(empty)} such)"
            )
    if folds is not None:
        if part == "test" or folds.ndim != 2 or len(folds) != n or folds.dtype != np.uint8:
            raise DataError(f"{name}: folds must be ({n}, F) uint8, of a pool of samples")
        for fold, column in enumerate(folds.T):
            if not ((column == 1).any() and (column == 2).any()) or column.max() > 2:
                raise DataError(
                    f"{name}: split {fold} must mark training samples with 1, test samples with 2"
                )
