"""Label files that papers and users release: csv, json, npy and pt, read without running any code.

A file holds one or more columns of class ids, one id a sample, in the order of the canonical data
set, or with a column ``index`` of positions in it. What a pickle inside a ``.pt`` may call is an
allow-list of four NumPy helpers.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.swap import one_line
from bench.errors import DataError, nearest

Array = np.ndarray[Any, Any]

GIVEN_NAMES = ("label_noisy", "noisy_label", "noisy", "given_label", "given", "label")
"""Column names that hold given labels, the first one found is used."""
TRUE_NAMES = ("clean_label", "label", "clean", "true_label", "true", "target")
"""Column names that hold true labels beside given ones."""
POSITIONS = "index"
"""Column name of canonical positions, where rows are in another order."""
SINGLE = "label"
"""Name of the only column of a file that names none."""
MAX_BYTES = 1 << 28
"""Labels of a hundred million samples; nothing larger is a label file."""


@dataclass(frozen=True)
class LabelFile:
    """What a label file holds.

    Attributes:
        path: where it lies.
        sha256: of its bytes.
        columns: name -> class ids ``(n,)`` int64, all of one length.
    """

    path: Path
    sha256: str
    columns: dict[str, Array]

    def given(self, column: str = "") -> Array:
        """The column of this name, else the one whose name says that it holds given labels.

        Raises:
            DataError: there is none, or none can be told from the others.
        """
        if column:
            return self._named(column)
        for name in GIVEN_NAMES:
            if name in self.columns:
                return self.columns[name]
        if len(self.columns) == 1:
            return next(iter(self.columns.values()))
        raise DataError(
            f"{self.path} has the columns {', '.join(self.columns)}; name one of them: column"
        )

    def true(self, given: Array) -> Array | None:
        """The column of true labels beside ``given``, where the file has one."""
        for name in TRUE_NAMES:
            if name in self.columns and self.columns[name] is not given:
                return self.columns[name]
        return None

    def _named(self, column: str) -> Array:
        if column not in self.columns:
            raise DataError(
                f"{self.path} has no column {column!r}{nearest(column, self.columns)}; it has "
                f"{', '.join(self.columns)}"
            )
        return self.columns[column]


def read_labels(path: Path) -> LabelFile:
    """Read a label file by its suffix.

    Raises:
        DataError: no such format, damaged, with code inside, or not class ids throughout.
    """
    readers = {".csv": _read_csv, ".json": _read_json, ".npy": _read_npy, ".pt": _read_pt}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path}: labels are read from {', '.join(readers)}"
            f"{nearest(path.suffix.lower(), readers)}"
        )
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path} has {size / 2**20:.0f} MiB, too much for a label file")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    columns = {name: _ids(f"{path}: {name}", values) for name, values in reader(path).items()}
    if not columns:
        raise DataError(f"{path} holds no labels")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{path}: columns differ in length ({lengths})")
    return LabelFile(path, digest, _in_order(path, columns))


def _in_order(path: Path, columns: dict[str, Array]) -> dict[str, Array]:
    """The columns by canonical position, where one of them holds the positions."""
    if POSITIONS not in columns or len(columns) == 1:
        return columns
    positions = columns[POSITIONS]
    order = np.argsort(positions, kind="stable")
    if not np.array_equal(positions[order], np.arange(len(positions))):
        raise DataError(
            f"{path}: the column {POSITIONS} must hold the positions 0 to {len(positions) - 1}, "
            f"each once: a label file has one label for each sample of the canonical data set"
        )
    return {name: values[order] for name, values in columns.items() if name != POSITIONS}


def _ids(where: str, values: Any) -> Array:
    """Class ids ``(n,)`` int64."""
    try:
        array = np.asarray(values)
    except ValueError:  # a ragged list
        raise DataError(f"{where} is no plain list of class ids") from None
    if array.ndim != 1 or not len(array):
        raise DataError(f"{where} has shape {array.shape}; expected one class id a sample")
    if array.dtype.kind not in "iu":
        raise DataError(f"{where} holds {array.dtype} values; expected integer class ids")
    ids = array.astype(np.int64)
    if ids.min() < 0:
        raise DataError(f"{where}: sample {int(ids.argmin())} has the label {ids.min()}, below 0")
    return ids


def _read_csv(path: Path) -> dict[str, list[int]]:
    """A header and one row a sample; a file without a header has one column."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file ({one_line(error)})") from None
    rows = [row for row in rows if row]
    if not rows:
        return {}
    has_header = not all(_is_integer(cell) for cell in rows[0])
    header = [cell.strip() for cell in rows[0]] if has_header else [SINGLE]
    columns: dict[str, list[int]] = {name: [] for name in header}
    if len(columns) < len(header):
        raise DataError(f"{path}:1: two columns share a name ({', '.join(header)})")
    first = 2 if has_header else 1
    for line, row in enumerate(rows[has_header:], start=first):
        if len(row) != len(header):
            raise DataError(f"{path}:{line}: {len(row)} cells, expected {len(header)}")
        for name, cell in zip(header, row, strict=True):
            if not _is_integer(cell):
                raise DataError(f"{path}:{line}: {name} is {cell!r}, no class id")
            columns[name].append(int(cell))
    return columns


def _is_integer(cell: str) -> bool:
    return cell.strip().lstrip("-").isascii() and cell.strip().lstrip("-").isdigit()


def _read_json(path: Path) -> dict[str, Any]:
    """A list of class ids, or an object of such lists."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path} is no JSON file ({one_line(error)})") from None
    if isinstance(found, list):
        return {SINGLE: found}
    if isinstance(found, dict) and all(isinstance(values, list) for values in found.values()):
        return found
    raise DataError(f"{path} is neither a list of class ids nor an object of such lists")


def _read_npy(path: Path) -> dict[str, Any]:
    try:
        return {SINGLE: np.load(path, allow_pickle=False)}
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise DataError(f"{path} is no array of numbers ({one_line(error)})") from None


def _read_pt(path: Path) -> dict[str, Any]:
    """A dictionary saved by torch; NumPy arrays, tensors and lists of integers."""
    import _codecs

    import torch

    reconstruct = np.empty(0).__reduce__()[0]  # where it lives changed with NumPy 2
    allowed: list[Any] = [
        (reconstruct, "numpy.core.multiarray._reconstruct"),
        (reconstruct, "numpy._core.multiarray._reconstruct"),
        np.ndarray,
        np.dtype,
        *(type(np.dtype(kind)) for kind in (np.int64, np.int32, np.uint8)),
        _codecs.encode,
    ]
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} was not saved by torch, or it is damaged or cut short")
    try:
        with torch.serialization.safe_globals(allowed):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the restricted unpickler raises many kinds
        raise DataError(
            f"{path} is damaged, or its pickle asks for code that labels do not need "
            f"({_refused(error)}); nothing of it was run. Get it again from its authors"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise DataError(f"{path} holds a {type(found).__name__}, expected named label vectors")
    return {
        key: values.numpy() if isinstance(values, torch.Tensor) else values
        for key, values in found.items()
    }


def _refused(error: Exception) -> str:
    """What the unpickler stumbled over, without its advice to switch the guard off."""
    text = one_line(error)
    asked = re.search(r"GLOBAL ([\w.]+)", text)
    if asked:
        return asked[1]
    return (text.rpartition("trusted source. ")[2].removeprefix("WeightsUnpickler error: "))[:120]
