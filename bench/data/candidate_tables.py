"""Tables of features with candidate sets, in the MATLAB layout of partial-label learning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from bench.api import Dataset, Split
from bench.data.contract import single_precision
from bench.data.swap import one_line
from bench.errors import DataError

SPLITS = 10
"""Random splits of a set that came without a file of fixed ones."""


class CandidateTable(Dataset):
    """Features, candidate sets and true labels of one pool of samples, from a ``.mat`` file.

    ``data`` is (n, d), ``target`` (C, n) one-hot and ``partial_target`` (C, n) of 0 and 1; dense or
    sparse, any MATLAB version. A file ``splits_<name>.mat`` beside it with ``indices`` (n, F) of 1
    and 2 gives the official splits into halves, of which a suite's seed chooses one; without it ten
    splits are drawn, each training on ``train_share`` of the samples. As in the code that came with
    such files (PL-CL, ``readme.m``) the first, third, ... split trains on 1 and tests on 2, the
    others train on 2 and test on 1.
    """

    file: ClassVar[str]
    """Its usual file name."""
    truth_inside: ClassVar[bool] = True
    """The data set promises that every candidate set holds the true label."""
    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    drop_constant: bool = False
    _drawn: bool = False

    def read(self, source: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """The pool, an empty test split, and classes numbered from 0."""
        path = self._find(source)
        arrays = _load(path, ("data", "target", "partial_target"))
        features = self._features(path, arrays["data"])
        n = len(features)
        target = _indicators(path, "target", arrays["target"], n)
        sets = _indicators(path, "partial_target", arrays["partial_target"], n)
        _check(path, target, sets, truth_inside=self.truth_inside)
        labels = target.argmax(axis=1).astype(np.int64)
        folds = self._folds(path, n)
        pool = Split(features, labels, np.arange(n), candidates=sets, folds=folds)
        none = Split(features[:0], labels[:0], np.arange(0))
        return pool, none, tuple(str(label) for label in range(target.shape[1]))

    def describe(self) -> str:
        """Says so where the splits are not the official ones."""
        parts = []
        if self._drawn:
            parts.append(f"own splits, {100 * self.train_share:g} % training")
        if self.drop_constant:
            parts.append("without constant features")
        return f"{self.name} ({', '.join(parts)})" if parts else ""

    def _find(self, source: Path) -> Path:
        if source.is_file():
            return source
        wanted = self.file.lower()
        found = [p for p in sorted(source.glob("*")) if p.name.lower() == wanted]
        if not found:
            raise DataError(f"{source} holds no {self.file}; the layout is:\n{self.layout}")
        return found[0]

    def _features(self, path: Path, values: Any) -> np.ndarray[Any, Any]:
        """``(n, d)`` float32, all finite, none constant."""
        table = np.asarray(_dense(values), dtype=np.float64)
        if table.ndim != 2 or not table.size:
            raise DataError(f"{path}: data has shape {table.shape}; expected (n, d)")
        features = single_precision(str(path), table)
        constant = np.flatnonzero(features.max(axis=0) == features.min(axis=0))
        if len(constant) and not self.drop_constant:
            raise DataError(
                f"{path}: feature {constant[0]} is {features[0, constant[0]]:g} in every sample "
                f"({len(constant):,} such), which says nothing and cannot be standardised. To "
                f"leave them out: {{{self.name}: {{drop_constant: true}}}} in the suite, and\n"
                f"  python -m bench data import {self.name} {path} drop_constant=true"
            )
        kept = np.delete(features, constant, axis=1)
        if not kept.shape[1]:
            raise DataError(f"{path}: every feature is the same in every sample")
        return kept

    def _folds(self, path: Path, n: int) -> np.ndarray[Any, Any]:
        """``(n, F)`` uint8."""
        plain = self.name.replace("-", "")
        beside = [
            p
            for p in sorted(path.parent.glob("splits_*.mat"))
            if p.stem.lower().removeprefix("splits_").replace("-", "") == plain
        ]
        if not beside:
            self._drawn = True
            rng = np.random.default_rng(0)
            size = round(self.train_share * n)
            return np.stack(
                [np.where(rng.permutation(n) < size, 1, 2) for _ in range(SPLITS)], axis=1
            ).astype(np.uint8)
        indices = np.atleast_2d(_dense(_load(beside[0], ("indices",))["indices"]))
        if len(indices) != n:
            raise DataError(
                f"{beside[0]}: indices has {len(indices):,} rows; {path.name} has {n:,} samples. "
                f"It belongs to another data set"
            )
        if not np.isin(indices, (0, 1, 2)).all():
            raise DataError(
                f"{beside[0]}: indices must be 1 or 2, the half that a sample is in, or 0, "
                f"not {indices[~np.isin(indices, (0, 1, 2))][0]:g}"
            )
        folds = indices.astype(np.uint8)
        halves = folds[:, 1::2]
        folds[:, 1::2] = np.where(halves > 0, 3 - halves, 0)
        return folds


def layout(file: str, name: str) -> str:
    """How a data set of this kind lies on disk, in words."""
    return (
        f"  {file:<26}data (n, d), target (C, n), partial_target (C, n)\n"
        f"  {f'splits_{name}.mat':<26}indices (n, F) of 1 and 2, where there are fixed splits"
    )


def _load(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    from pymatreader import read_mat

    try:
        found = read_mat(str(path), variable_names=names)
    except Exception as error:  # MATLAB files fail in many ways
        raise DataError(f"{path} is no MATLAB file ({one_line(error)})") from None
    for name in names:
        if name not in found:
            there = ", ".join(sorted(key for key in read_mat(str(path)) if key[0] not in "_#"))
            raise DataError(f"{path} has no array {name!r}; it has {there or 'none'}")
    return {name: found[name] for name in names}


def _dense(values: Any) -> np.ndarray[Any, Any]:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


def _indicators(path: Path, name: str, values: Any, n: int) -> np.ndarray[Any, Any]:
    """``(n, C)`` bool from ``(C, n)`` of 0 and 1."""
    matrix = _dense(values)
    if matrix.ndim != 2 or matrix.shape[1] != n:
        raise DataError(
            f"{path}: {name} has shape {matrix.shape}; expected (C, {n}), a column a sample"
        )
    if not np.isin(matrix, (0, 1)).all():
        raise DataError(f"{path}: {name} holds {matrix[~np.isin(matrix, (0, 1))][0]:g}, not 0 or 1")
    return np.ascontiguousarray(matrix.T.astype(bool))


def _check(
    path: Path,
    target: np.ndarray[Any, Any],
    sets: np.ndarray[Any, Any],
    *,
    truth_inside: bool,
) -> None:
    if target.shape != sets.shape:
        raise DataError(
            f"{path}: target has {target.shape[1]} classes, partial_target {sets.shape[1]}"
        )
    several = np.flatnonzero(target.sum(axis=1) != 1)
    if len(several):
        raise DataError(
            f"{path}: sample {several[0]} has {target[several[0]].sum()} true labels, expected 1 "
            f"({len(several):,} such)"
        )
    empty = np.flatnonzero(~sets.any(axis=1))
    if len(empty):
        raise DataError(
            f"{path}: the candidate set of sample {empty[0]} is empty ({len(empty):,} such)"
        )
    outside = np.flatnonzero(~(target & sets).any(axis=1))
    if truth_inside and len(outside):
        row = outside[0]
        raise DataError(
            f"{path}: the true label {target[row].argmax()} of sample {row} is not among its "
            f"candidates {np.flatnonzero(sets[row]).tolist()} ({len(outside):,} such), which "
            f"this data set promises"
        )
    unused = np.flatnonzero(~(target.any(axis=0) | sets.any(axis=0)))
    if len(unused):
        raise DataError(
            f"{path}: class {unused[0]} of {target.shape[1]} has no sample and is in no candidate "
            f"set ({len(unused):,} such); drop its row from target and partial_target"
        )
