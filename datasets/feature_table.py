"""Frozen features with labels: a user's own table in one line of a suite."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from bench.api import DataError, Dataset, Field, Split
from datasets.image_folder import _held_out

if TYPE_CHECKING:
    from collections.abc import Sequence

LABEL, TRUE, SPLIT = "label", "true_label", "split"
"""Columns of a CSV that are no features."""


class FeatureTable(Dataset):
    """``{feature-table: {path: features.npz}}``: an npz or csv file of features and labels.

    npz: ``features`` (n, d) and ``labels`` (n,); where there are any, ``true_labels`` (n,),
    ``test_features`` and ``test_labels``, and ``class_names``. csv: a header, numeric columns, and
    ``label``; where there are any, ``true_label`` and ``split`` (train or test). Labels are class
    ids from 0, or names. Without a test part ``test_share`` of each class is held out, once, with
    a fixed seed, by its true labels where they are known.

    ``truth: false``, the default, says that labels may be wrong: the noise ``real`` uses them as
    they are, and where true labels stand beside them its rate is known. A change of the file is
    noticed, and it is read again.
    """

    name = "feature-table"
    paper = "the user's own"
    bundled = True
    example = {"path": "features.npz"}  # noqa: RUF012
    path: str = ""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    truth: bool = False  # type: ignore[misc] # a parameter here

    def describe(self) -> str:
        """The file's name."""
        return f"feature-table {Path(self.path).stem}"

    def origin(self) -> Sequence[Path]:
        """The file."""
        return (self._file(),)

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Both splits."""
        path = self._file()
        readers = {".npz": _read_npz, ".csv": _read_csv}
        if path.suffix.lower() not in readers:
            raise DataError(f"{path}: feature tables are npz or csv files")
        columns = readers[path.suffix.lower()](path)
        names, ids = _class_ids(path, columns)
        features = _features(path, columns["features"])
        given, true = ids["labels"], ids.get("true_labels")
        if true is not None:
            self.truth = True  # type: ignore[misc]
        labels = given if true is None else true
        beside = None if true is None else given
        everything = Split(features, labels, np.arange(len(labels)), beside)
        if "test_features" in columns:
            test_features = _features(path, columns["test_features"])
            test = Split(test_features, ids["test_labels"], np.arange(len(test_features)))
            return everything, test, names
        held = columns.get("held")
        held = _held_out(labels, self.test_share) if held is None else held
        return _rows(everything, ~held), _rows(everything, held, test=True), names

    def _file(self) -> Path:
        if not self.path:
            raise DataError("feature-table needs a path: {feature-table: {path: features.npz}}")
        path = Path(self.path).expanduser()
        if not path.is_file():
            raise DataError(f"{path} is no file; feature-table reads an npz or a csv file")
        return path.resolve()


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as saved:
            columns = {name: saved[name] for name in saved.files}
    except Exception as error:  # numpy and zipfile fail in many ways on a damaged file
        raise DataError(f"{path} is no npz file of plain arrays ({error})") from None
    for name in ("features", "labels"):
        if name not in columns:
            raise DataError(f"{path} has no array {name!r}; it has {', '.join(columns) or 'none'}")
    if ("test_features" in columns) != ("test_labels" in columns):
        raise DataError(f"{path} has only one of test_features and test_labels")
    for features, labels in (("features", "labels"), ("test_features", "test_labels")):
        if features in columns and len(columns[features]) != len(columns[labels]):
            raise DataError(
                f"{path}: {len(columns[features])} {features}, but {len(columns[labels])} {labels}"
            )
    return columns


def _read_csv(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2 or LABEL not in rows[0]:
        raise DataError(f"{path}:1: needs a header with the column {LABEL!r}, and rows below it")
    header = rows[0]
    numeric = [i for i, name in enumerate(header) if name not in (LABEL, TRUE, SPLIT)]
    features = np.empty((len(rows) - 1, len(numeric)), dtype=np.float32)
    for number, row in enumerate(rows[1:]):
        if len(row) != len(header):
            raise DataError(f"{path}:{number + 2}: {len(row)} cells, expected {len(header)}")
        try:
            features[number] = [float(row[i]) for i in numeric]
        except ValueError as error:
            raise DataError(f"{path}:{number + 2}: {error}") from None
    columns: dict[str, Any] = {"features": features}
    for name, key in ((LABEL, "labels"), (TRUE, "true_labels")):
        if name in header:
            columns[key] = np.array([row[header.index(name)] for row in rows[1:]])
    if SPLIT in header:
        parts = np.array([row[header.index(SPLIT)] for row in rows[1:]])
        for number, part in enumerate(parts):
            if part not in ("train", "test"):
                raise DataError(f"{path}:{number + 2}: split is {str(part)!r}, not train or test")
        columns["held"] = parts == "test"
    return columns


def _class_ids(path: Path, columns: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Class names, and every label column as ids ``(n,)`` int64."""
    found = {
        key: np.asarray(columns[key])
        for key in ("labels", "true_labels", "test_labels")
        if key in columns
    }
    texts = {key: [str(value).strip() for value in values] for key, values in found.items()}
    every = {text for values in texts.values() for text in values}
    if "class_names" in columns:
        names = tuple(str(name) for name in columns["class_names"])
    elif all(text.isdigit() for text in every):
        names = tuple(str(label) for label in range(max(map(int, every)) + 1))
    else:
        names = tuple(sorted(every))
    position = {name: label for label, name in enumerate(names)}
    numeric = all(text.isdigit() and int(text) < len(names) for text in every)
    ids = {}
    for key, values in texts.items():
        try:
            found_ids = [int(text) if numeric else position[text] for text in values]
        except KeyError as error:
            raise DataError(f"{path}: {key} has {error}, which is no class") from None
        ids[key] = np.array(found_ids, dtype=np.int64)
    return names, ids


def _features(path: Path, values: Any) -> np.ndarray:
    """``(n, d)`` float32, all finite."""
    features = np.asarray(values)
    if features.ndim != 2 or features.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: features have shape {features.shape} and type {features.dtype}; expected "
            f"(n, d) numbers"
        )
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{path}: feature {column} of sample {row} is {features[row, column]} "
            f"({len(bad):,} such); fill or drop them first"
        )
    return features.astype(np.float32)


def _rows(split: Split, chosen: np.ndarray, *, test: bool = False) -> Split:
    given = None if split.given is None or test else split.given[chosen]
    return Split(split.inputs[chosen], split.labels[chosen], split.index[chosen], given)
