"""Noise artefacts: one draw of wrong labels, frozen with its hash, its rate and its matrix.

An artefact depends on the data set, the noise and the noise seed, never on a method or a refiner:
everybody is given the same wrong labels. Once drawn it is kept beside the data, so that a later
version of numpy cannot change it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.api import DataInfo, Noise
from bench.errors import PluginError
from bench.identity import axis_seed, content_sha

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class NoiseArtefact:
    """Given labels of a training set.

    Attributes:
        sha: sha256 over the data set's fingerprint and the labels.
        labels: given labels ``(n,)`` int64.
        rate: realised share of wrong labels.
        matrix: realised P(given | true), ``(C, C)``, rows are true classes and sum to 1.
        nominal: the matrix that was asked for, where the noise has one.
    """

    sha: str
    labels: Array
    rate: float
    matrix: Array
    nominal: Array | None


def realised_matrix(true: Array, given: Array, n_classes: int) -> Array:
    """P(given | true) as counted, ``(C, C)`` float64; a class without samples keeps its label."""
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (true, given), 1.0)
    empty = counts.sum(axis=1) == 0
    counts[empty, empty] = 1.0
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def draw(noise: Noise, data: DataInfo, true: Array, noise_seed: int) -> NoiseArtefact:
    """Draw wrong labels with a generator of their own.

    Raises:
        Incompatible: the noise cannot exist on this data set.
        PluginError: the noise returned something that is no label vector or no matrix.
    """
    noise.check(data)
    given = np.asarray(noise.corrupt(true.copy(), data, np.random.default_rng(noise_seed)))
    if given.shape != true.shape or given.dtype.kind not in "iu":
        raise PluginError(
            f"noise {noise.name!r}: corrupt() must return {true.shape} integers, "
            f"not {given.shape} {given.dtype}"
        )
    given = given.astype(np.int64)
    if given.min() < 0 or given.max() >= data.n_classes:
        raise PluginError(f"noise {noise.name!r}: a label is outside 0..{data.n_classes - 1}")
    nominal = noise.transition_matrix(data)
    if nominal is not None and (
        nominal.shape != (data.n_classes,) * 2 or not np.allclose(nominal.sum(axis=1), 1)
    ):
        raise PluginError(f"noise {noise.name!r}: rows of the matrix must sum to 1")
    return NoiseArtefact(
        sha=labels_sha(data.fingerprint, given),
        labels=given,
        rate=float((given != true).mean()),
        matrix=realised_matrix(true, given, data.n_classes),
        nominal=nominal,
    )


def labels_sha(fingerprint: str, labels: Array) -> str:
    """Identity of an artefact: the data set and the labels themselves."""
    digest = hashlib.sha256(fingerprint.encode())
    digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
    return digest.hexdigest()


def seed_of(fingerprint: str, name: str, params: dict[str, Any], seed: int) -> int:
    """The noise axis's seed: nothing about methods, refiners or the order of drawing enters."""
    return axis_seed("noise", fingerprint, name, params, seed)


class ArtefactStore:
    """Artefacts on disk beside their data set, drawn on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(
        self,
        noise: Noise,
        params: dict[str, Any],
        source_sha: str,
        data: DataInfo,
        true: Array,
        seed: int,
    ) -> NoiseArtefact:
        """The artefact of this noise on this data at this seed; see ``draw`` for errors."""
        key = content_sha([data.fingerprint, noise.name, params, source_sha, seed])
        path = self._folder / f"{noise.name}-{seed}-{key[:16]}.npz"
        known = _read(path, data.fingerprint, true)
        if known is not None:
            return known
        artefact = draw(noise, data, true, seed_of(data.fingerprint, noise.name, params, seed))
        _write(path, artefact)
        return artefact


def _read(path: Path, fingerprint: str, true: Array) -> NoiseArtefact | None:
    try:
        with np.load(path, allow_pickle=False) as saved:
            labels, sha = saved["labels"], str(saved["sha"])
            if labels.shape != true.shape or labels_sha(fingerprint, labels) != sha:
                return None
            nominal = saved["nominal"]
            return NoiseArtefact(
                sha=sha,
                labels=labels,
                rate=float((labels != true).mean()),
                matrix=saved["matrix"],
                nominal=nominal if nominal.size else None,
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, artefact: NoiseArtefact) -> None:
    # A read-only data folder is no error: the same labels are drawn again next time.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".npz")
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(
                file,
                labels=artefact.labels,
                sha=np.array(artefact.sha),
                matrix=artefact.matrix,
                nominal=np.empty(0) if artefact.nominal is None else artefact.nominal,
            )
        os.replace(temporary, path)
