"""Any class-conditional noise, by its matrix."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api import DataError, DataInfo, Incompatible, Noise

if TYPE_CHECKING:
    from numpy import ndarray

TOLERANCE = 1e-6
"""How far a row's sum may be from 1, for matrices written with a few digits."""


class Transition(Noise):
    """A label of true class i becomes class j with probability ``matrix[i][j]``.

    Rows are true classes and sum to 1. The matrix stands in the suite, or in a CSV file (a first
    row of class names is allowed and must then be in the data set's order).
    """

    name = "transition"
    paper = "Patrini et al., Making DNNs Robust to Label Noise, CVPR 2017, arXiv 1609.03683"
    example = {  # noqa: RUF012
        "matrix": [[0.9, 0.1, 0, 0], [0, 0.8, 0.2, 0], [0, 0, 0.7, 0.3], [0.4, 0, 0, 0.6]]
    }
    matrix: list[list[float]] | None = None
    file: str = ""
    called: str = ""

    def check(self, data: DataInfo) -> None:
        """There is one matrix, of the right size, whose rows are distributions."""
        self.transition_matrix(data)

    def transition_matrix(self, data: DataInfo) -> ndarray[Any, Any]:
        """The matrix as given, its rows scaled to sum to 1 exactly."""
        if (self.matrix is None) == (not self.file):
            raise Incompatible("transition noise needs either a matrix or the file of one")
        where = self.file or "matrix"
        rows = self.matrix if self.matrix is not None else _read(Path(self.file), data)
        n = data.n_classes
        for number, row in enumerate(rows):
            if len(row) != n:
                raise Incompatible(
                    f"{where}: row {number} has {len(row)} entries; {data.name} has {n} classes"
                )
            if not np.isfinite(row).all() or min(row) < 0:
                raise Incompatible(f"{where}: row {number} has an entry that is no probability")
            if abs(sum(row) - 1) > TOLERANCE:
                raise Incompatible(
                    f"{where}: row {number} ({data.class_names[number % n]}) sums to "
                    f"{sum(row):.6g}; rows are true classes and sum to 1"
                )
        if len(rows) != n:
            raise Incompatible(f"{where} has {len(rows)} rows; {data.name} has {n} classes")
        matrix = np.array(rows, dtype=np.float64)
        return matrix / matrix.sum(axis=1, keepdims=True)

    def describe(self) -> str:
        """Its name, else its file's, else its size."""
        size = f"{len(self.matrix)}x{len(self.matrix)}" if self.matrix else ""
        return self.called or f"{self.name} {Path(self.file).stem or size}".strip()


def _read(path: Path, data: DataInfo) -> list[list[float]]:
    try:
        text = path.expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error})") from None
    lines = [row for row in csv.reader(text.splitlines()) if row]
    if lines and not _is_number(lines[0][0]):
        names = tuple(cell.strip() for cell in lines.pop(0))
        if names != data.class_names:
            raise Incompatible(
                f"{path}: its columns are {', '.join(names)}; the classes of {data.name} are "
                f"{', '.join(data.class_names)}"
            )
    rows = []
    for line, row in enumerate(lines, start=1):
        for cell in row:
            if not _is_number(cell):
                raise DataError(f"{path}: row {line} has {cell!r}, which is no number")
        rows.append([float(cell) for cell in row])
    return rows


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
