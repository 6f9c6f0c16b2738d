"""Frozen features with labels: a user's own table in one line of a suite."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from bench.api import DataError, Dataset, Field, Split
from bench.data.contract import single_precision
from datasets.image_folder import held_out

if TYPE_CHECKING:
    from collections.abc import Sequence

LABEL, TRUE, SPLIT = "label", "true_label", "split"
"""Columns of a CSV that are no features."""


class FeatureTable(Dataset):
    """``{feature-table: {path: features.npz}}``: an npz or csv file of features and labels.

    npz: ``features`` (n, d) and ``labels`` (n,); where there are any, ``true_labels`` (n,),
    ``test_features`` and ``test_labels``, and ``class_names``. csv: a header, numeric columns, and
    ``label``; where there are any, ``true_label`` and ``split`` (train or test). Labels are class
    ids from 0, or names; only a class that ``class_names`` names may be without samples. Without a
    test part ``test_share`` of each class is held out, once, with a fixed seed, by its true labels
    where they are known.

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
        features = _features(path, columns["features"])
        names, ids = _class_ids(path, columns)
        given, true = ids["labels"], ids.get("true_labels")
        if true is not None:
            self.truth = True  # type: ignore[misc]
        labels = given if true is None else true
        beside = None if true is None else given
        everything = Split(features, labels, np.arange(len(labels)), beside)
        if "test_features" in columns:
            test_features = _features(path, columns["test_features"])
            train = everything
            test = Split(test_features, ids["test_labels"], np.arange(len(test_features)))
        else:
            held = columns.get("held")
            if held is None:
                held = held_out(str(path), labels, names, self.test_share)
            train, test = _rows(everything, ~held), _rows(everything, held, test=True)
        _check_trained(path, train, test, names)
        return train, test, names

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
    for features, labels in (
        ("features", "labels"),
        ("features", "true_labels"),
        ("test_features", "test_labels"),
    ):
        for name in (features, labels):
            if name in columns and not columns[name].ndim:
                raise DataError(f"{path}: {name} is a single value, expected one row a sample")
        if labels in columns and len(columns[features]) != len(columns[labels]):
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
    texts = {
        key: _texts(path, key, np.asarray(columns[key]))
        for key in ("labels", "true_labels", "test_labels")
        if key in columns
    }
    every = {text for values in texts.values() for text in values}
    numbers = sorted(map(int, every)) if all(text.isdecimal() for text in every) else []
    if "class_names" in columns:
        names = tuple(str(name) for name in np.atleast_1d(columns["class_names"]))
    elif numbers:
        absent = next((i for i, number in enumerate(numbers) if i != number), None)
        if absent is not None:
            raise DataError(
                f"{path}: class {absent} has no sample, but there is a class {numbers[-1]}; ids "
                f"start at 0 and leave none out, unless class_names names every class"
            )
        names = tuple(map(str, numbers))
    else:
        names = tuple(sorted(every))
    position = {name: label for label, name in enumerate(names)}
    numeric = bool(numbers) and numbers[-1] < len(names)
    ids = {}
    for key, values in texts.items():
        try:
            found_ids = [int(text) if numeric else position[text] for text in values]
        except KeyError as error:
            raise DataError(f"{path}: {key} has {error}, which is no class") from None
        ids[key] = np.array(found_ids, dtype=np.int64)
    return names, ids


def _texts(path: Path, key: str, values: np.ndarray) -> list[str]:
    """Labels as ids in digits, or as names."""
    if values.ndim != 1:
        raise DataError(f"{path}: {key} has shape {values.shape}; expected one label a sample")
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.round(values))
        if not whole.all():
            raise DataError(f"{path}: {key} holds {values[~whole][0]:g}, no class id")
        values = values.astype(np.int64)
    texts = [str(value).strip() for value in values]
    below = next((text for text in texts if text[:1] == "-" and text[1:].isdecimal()), None)
    if below is not None:
        raise DataError(f"{path}: {key} holds {below}, below 0; class ids start at 0")
    return texts


def _features(path: Path, values: Any) -> np.ndarray:
    """``(n, d)`` float32, all finite; single constant ones are common, and harmless here."""
    features = np.asarray(values)
    if features.ndim != 2 or features.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: features have shape {features.shape} and type {features.dtype}; expected "
            f"(n, d) numbers"
        )
    if not features.size:
        raise DataError(f"{path} holds no samples (features have shape {features.shape})")
    return single_precision(str(path), features)


def _check_trained(path: Path, train: Split, test: Split, names: tuple[str, ...]) -> None:
    """What is tested must have been trained on, by features that say something."""
    if (train.inputs == train.inputs[:1]).all():
        raise DataError(f"{path}: every feature is the same in every sample that is trained on")
    seen = set(train.labels) | set(() if train.given is None else train.given)
    unseen = sorted(set(test.labels) - seen)
    if unseen:
        raise DataError(
            f"{path}: class {names[unseen[0]]!r} has test samples, but none to train on "
            f"({len(unseen)} such)"
        )


def _rows(split: Split, chosen: np.ndarray, *, test: bool = False) -> Split:
    given = None if split.given is None or test else split.given[chosen]
    return Split(split.inputs[chosen], split.labels[chosen], split.index[chosen], given)
