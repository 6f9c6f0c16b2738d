"""A training set that noise models are checked on: many labels of few classes, easy images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.api import DataInfo
from bench.conformance.result import Skipped

Array = np.ndarray[Any, Any]

SIDE = 8


@dataclass(frozen=True)
class FixtureTrainingSet:
    """``per_class`` samples of each class of ``info``; implements ``bench.api.TrainingSet``."""

    info: DataInfo
    per_class: int

    @cached_property
    def labels(self) -> Array:
        """True labels, class by class."""
        return np.repeat(np.arange(self.info.n_classes, dtype=np.int64), self.per_class)

    @cached_property
    def given(self) -> Array | None:
        """Every tenth label is the next class, where there are annotators' labels."""
        if not self.info.given:
            return None
        given = self.labels.copy()
        given[::10] = (given[::10] + 1) % self.info.n_classes
        return given

    @cached_property
    def candidates(self) -> Array | None:
        """The true label and the next one, where samples come with candidate sets."""
        if not self.info.partial:
            return None
        sets = np.eye(self.info.n_classes, dtype=bool)[self.labels]
        return sets | np.roll(sets, 1, axis=1)

    @cached_property
    def index(self) -> Array:
        """The samples are the whole canonical set."""
        return np.arange(len(self.labels))

    @cached_property
    def inputs(self) -> Array:
        """Grey images 8x8, each class with a brightness of its own."""
        rng = np.random.default_rng(0)
        level = 40 + 160 * self.labels / self.info.n_classes
        pixels = rng.normal(level[:, None, None, None], 20, (len(level), SIDE, SIDE, 1))
        return pixels.clip(0, 255).astype(np.uint8)

    def file(self, name: str) -> Path:
        """Raises ``Skipped``: nothing is known of the files that a noise reads."""
        raise Skipped(f"reads the file {name}, which checks do not have")

    def posterior(self, *, folds: int, epochs: int) -> Array:
        """Soft-max of scores that favour the true class by a margin of its own in each sample."""
        rng = np.random.default_rng(1)
        scores = rng.normal(size=(len(self.labels), self.info.n_classes))
        scores[np.arange(len(scores)), self.labels] += rng.uniform(0, 6, len(scores))
        odds = np.exp(scores)
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def other(self, dataset: str) -> tuple[str, Array]:
        """Uniform noise, as many images as there are samples."""
        rng = np.random.default_rng(2)
        images = rng.integers(0, 256, self.inputs.shape)
        return "f" * 64, np.asarray(images, dtype=np.uint8)
