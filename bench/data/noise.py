"""Noise artefacts: one draw of wrong labels, frozen with its hash, its rate and its matrix.

An artefact depends on the data set, the noise and the noise seed, never on a method or a refiner:
everybody is given the same wrong labels. Once drawn it is kept beside the data, so that a later
version of numpy cannot change it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.api import DataInfo, Foreign, Noise, Split, TrainingSet
from bench.errors import Incompatible, PluginError
from bench.identity import axis_seed, content_sha

Array = np.ndarray[Any, Any]

NONE = -1
"""The given label of a sample that has a candidate set instead."""
OPEN = -1
"""The true label of an input that belongs to none of the classes."""


@dataclass(frozen=True)
class NoiseArtefact:
    """Given labels of a training set.

    Attributes:
        sha: sha256 over the data set's fingerprint and the labels.
        labels: given labels ``(n,)`` int64.
        rate: realised share of wrong labels, foreign inputs included; None where nobody knows the
            true ones.
        matrix: realised P(given | true) of samples that belong to a class, ``(C, C)``, rows are
            true classes and sum to 1; None where nobody knows the true ones.
        nominal: the matrix that was asked for, where the noise has one.
        foreign: inputs that replace samples, where the noise does that.
        candidates: sets of labels that may be true ``(n, C)`` bool, where the noise gives them;
            ``labels`` are then -1, ``rate`` is the share of sets that lack the true label, and
            there is no matrix.
    """

    sha: str
    labels: Array
    rate: float | None
    matrix: Array | None
    nominal: Array | None
    foreign: Foreign | None = None
    candidates: Array | None = None

    @property
    def open_rate(self) -> float:
        """Share of samples whose input is foreign."""
        return 0.0 if self.foreign is None else len(self.foreign.rows) / len(self.labels)

    @property
    def mean_set_size(self) -> float | None:
        """Mean number of candidates; None for single labels."""
        return None if self.candidates is None else float(self.candidates.sum(axis=1).mean())

    def true(self, train: TrainingSet | Split, *, known: bool) -> Array | None:
        """True labels ``(n,)`` int64, -1 where the input is foreign; None unless ``known``."""
        if not known:
            return None
        true = np.array(train.labels)
        if self.foreign is not None:
            true[self.foreign.rows] = OPEN
        return true


def realised_matrix(true: Array, given: Array, n_classes: int) -> Array:
    """P(given | true) as counted, ``(C, C)`` float64; a class without samples keeps its label."""
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (true, given), 1.0)
    empty = counts.sum(axis=1) == 0
    counts[empty, empty] = 1.0
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def draw(noise: Noise, train: TrainingSet, noise_seed: int) -> NoiseArtefact:
    """Draw wrong labels with a generator of their own.

    Raises:
        Incompatible: the noise cannot exist on this data set.
        PluginError: the noise returned something that is no label vector or no matrix.
    """
    check(noise, train.info)
    rng = np.random.default_rng(noise_seed)
    sets = noise.candidates(train, rng)
    if sets is not None:
        return _artefact(train, _no_labels(sets), None, None, _sets(noise, sets, train))
    given = _labels(noise, np.asarray(noise.corrupt(train, rng)), train)
    foreign = noise.replace(train, rng)
    if foreign is not None:
        check_foreign(noise, foreign, train)
    nominal = noise.transition_matrix(train.info)
    if nominal is not None and (
        nominal.shape != (train.info.n_classes,) * 2 or not np.allclose(nominal.sum(axis=1), 1)
    ):
        raise PluginError(f"noise {noise.name!r}: rows of the matrix must sum to 1")
    return _artefact(train, given, nominal, foreign)


def check(noise: Noise, data: DataInfo) -> None:
    """Raise ``Incompatible`` when this noise cannot exist on this data set."""
    if noise.needs_truth and not data.truth:
        raise Incompatible(
            f"the true training labels of {data.label} are not known, so that none can be made "
            f"wrong at a known rate; use the labels as they come: real"
        )
    noise.check(data)


def _labels(noise: Noise, given: Array, train: TrainingSet) -> Array:
    data, shape = train.info, train.labels.shape
    if given.shape != shape or given.dtype.kind not in "iu":
        raise PluginError(
            f"noise {noise.name!r}: corrupt() must return {shape} integers, "
            f"not {given.shape} {given.dtype}"
        )
    if given.min() < 0 or given.max() >= data.n_classes:
        raise PluginError(f"noise {noise.name!r}: a label is outside 0..{data.n_classes - 1}")
    return given.astype(np.int64)


def _no_labels(sets: Array) -> Array:
    return np.full(len(sets), NONE, dtype=np.int64)


def _sets(noise: Noise, sets: Array, train: TrainingSet) -> Array:
    shape = (len(train.labels), train.info.n_classes)
    if sets.shape != shape or sets.dtype != np.bool_:
        raise PluginError(
            f"noise {noise.name!r}: candidates() must return {shape} bool, "
            f"not {sets.shape} {sets.dtype}"
        )
    empty = np.flatnonzero(~sets.any(axis=1))
    if len(empty):
        raise PluginError(
            f"noise {noise.name!r}: the candidate set of sample {empty[0]} is empty "
            f"({len(empty)} such)"
        )
    return sets


def check_foreign(noise: Noise, foreign: Foreign, train: TrainingSet) -> None:
    """Raise ``PluginError`` when inputs cannot take the place of training samples."""
    rows, shape = foreign.rows, (len(foreign.rows), *train.inputs.shape[1:])
    if (
        rows.dtype != np.int64
        or rows.ndim != 1
        or (np.diff(rows) <= 0).any()
        or (len(rows) and not 0 <= rows[0] <= rows[-1] < len(train.labels))
    ):
        raise PluginError(
            f"noise {noise.name!r}: replace() must name ascending rows of the training set, int64"
        )
    if foreign.inputs.shape != shape or foreign.inputs.dtype != train.inputs.dtype:
        raise PluginError(
            f"noise {noise.name!r}: replace() must return {shape} {train.inputs.dtype}, "
            f"not {foreign.inputs.shape} {foreign.inputs.dtype}"
        )


def _artefact(
    train: TrainingSet,
    given: Array,
    nominal: Array | None,
    foreign: Foreign | None,
    sets: Array | None = None,
) -> NoiseArtefact:
    sha = labels_sha(train.info.fingerprint, given, foreign, sets)
    artefact = NoiseArtefact(sha, given, None, None, nominal, foreign, sets)
    true = artefact.true(train, known=train.info.truth)
    if true is None:
        return artefact
    if sets is not None:
        return dataclasses.replace(artefact, rate=float((~sets[np.arange(len(true)), true]).mean()))
    closed = true != OPEN
    return dataclasses.replace(
        artefact,
        rate=float((given != true).mean()),
        matrix=realised_matrix(true[closed], given[closed], train.info.n_classes),
    )


def labels_sha(
    fingerprint: str, labels: Array, foreign: Foreign | None = None, sets: Array | None = None
) -> str:
    """Identity of an artefact: the data set, the labels themselves, foreign inputs, and sets."""
    digest = hashlib.sha256(fingerprint.encode())
    digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
    if foreign is not None:
        digest.update(np.ascontiguousarray(foreign.rows, dtype="<i8").tobytes())
        digest.update(np.ascontiguousarray(foreign.inputs).tobytes())
    if sets is not None:
        digest.update(np.packbits(sets).tobytes())
    return digest.hexdigest()


def seed_of(fingerprint: str, name: str, params: dict[str, Any], seed: int) -> int:
    """The noise axis's seed: nothing about methods, refiners or the order of drawing enters."""
    return axis_seed("noise", fingerprint, name, params, seed)


class ArtefactStore:
    """Artefacts on disk beside their data set, drawn on first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def name(
        self, noise: Noise, params: dict[str, Any], source_sha: str, train: TrainingSet, seed: int
    ) -> str:
        """The name of the artefact's file; see ``draw`` for errors."""
        check(noise, train.info)
        fingerprint = train.info.fingerprint
        read = [*noise.reads(train), *_matrix_sha(noise, train.info)]
        key = content_sha([fingerprint, noise.name, params, source_sha, seed, *read])
        return f"{noise.name}-{seed}-{key[:16]}.npz"

    def get(
        self, noise: Noise, params: dict[str, Any], source_sha: str, train: TrainingSet, seed: int
    ) -> NoiseArtefact:
        """The artefact of this noise on this data at this seed; see ``draw`` for errors."""
        path = self.folder / self.name(noise, params, source_sha, train, seed)
        known = _read(path, train)
        if known is not None:
            return known
        artefact = draw(noise, train, seed_of(train.info.fingerprint, noise.name, params, seed))
        _write(path, artefact)
        return artefact


def _matrix_sha(noise: Noise, data: DataInfo) -> tuple[str, ...]:
    """Hash of the matrix that is asked for: it may lie in a file that was edited since."""
    matrix = noise.transition_matrix(data)
    return () if matrix is None else (hashlib.sha256(matrix.tobytes()).hexdigest(),)


def _read(path: Path, train: TrainingSet) -> NoiseArtefact | None:
    """An artefact as it was drawn; None when absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as saved:
            labels, nominal = saved["labels"], saved["nominal"]
            foreign = None
            if "rows" in saved:
                foreign = Foreign(saved["rows"], saved["inputs"])
            sets = saved.get("candidates")
            if labels.shape != train.labels.shape or str(saved["sha"]) != labels_sha(
                train.info.fingerprint, labels, foreign, sets
            ):
                return None
            return _artefact(train, labels, nominal if nominal.size else None, foreign, sets)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, artefact: NoiseArtefact) -> None:
    arrays: dict[str, Any] = {
        "labels": artefact.labels,
        "sha": np.array(artefact.sha),
        "nominal": np.empty(0) if artefact.nominal is None else artefact.nominal,
    }
    if artefact.foreign is not None:
        arrays |= vars(artefact.foreign)
    if artefact.candidates is not None:
        arrays["candidates"] = artefact.candidates
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    # A read-only data folder is no error: the same labels are drawn again next time.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **arrays)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
