"""Training sets that noise tests draw on: plain arrays, perhaps with files beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.api import DataInfo
from bench.errors import DataError

Array = np.ndarray[Any, Any]


@dataclass
class PlainTrainingSet:
    """A training set from arrays; implements ``bench.api.TrainingSet``."""

    labels: Array
    inputs: Array
    class_names: tuple[str, ...]
    name: str = "toy"
    index: Array = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    n_canonical: int = 0
    truth: bool = True
    given: Array | None = None
    candidates: Array | None = None
    folder: Path = Path()
    posteriors: Array | None = None
    others: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.labels)
        if not len(self.index):
            self.index = np.arange(n)
        self.n_canonical = self.n_canonical or n

    @property
    def info(self) -> DataInfo:
        """As planning sees it."""
        shape = self.inputs.shape[1:]
        shape = (shape[2], *shape[:2]) if len(shape) == 3 else shape
        return DataInfo(
            self.name,
            "0" * 64,
            len(self.labels),
            100,
            self.class_names,
            shape,
            truth=self.truth,
            given=self.given is not None,
            partial=self.candidates is not None,
            n_canonical=self.n_canonical,
        )

    def file(self, name: str) -> Path:
        """A file of the test's folder."""
        path = self.folder / name
        if not path.is_file():
            raise DataError(f"no file {name}")
        return path

    def posterior(self, *, folds: int, epochs: int) -> Array:
        """What the test gave."""
        assert self.posteriors is not None
        return self.posteriors

    def other(self, dataset: str) -> tuple[str, Array]:
        """What the test gave."""
        return f"fingerprint of {dataset}", self.others[dataset]


def make_set(n: int = 2000, n_classes: int = 4, side: int = 6, **more: Any) -> PlainTrainingSet:
    """Random images of evenly many classes, in random order."""
    rng = np.random.default_rng(7)
    return PlainTrainingSet(
        labels=rng.permutation(np.arange(n) % n_classes).astype(np.int64),
        inputs=rng.integers(0, 256, (n, side, side, 1)).astype(np.uint8),
        class_names=tuple("abcdefghij"[:n_classes]),
        **more,
    )
