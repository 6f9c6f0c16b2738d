"""Candidate sets that may lack the true label."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from bench.api import Field, Noise, Rate, TrainingSet
from datasets.noise.partial.uniform import other_class


class PartialNoisy(Noise):
    """Uniform candidate sets, from which the true label is missing with probability ``eta``.

    Every wrong label enters with probability ``q``. A set that would be empty is given one wrong
    label, uniformly. The share of sets without the truth is then the noise rate.
    """

    name = "partial-noisy"
    paper = "Wang et al., PiCO+, TPAMI 2024, arXiv 2201.08984"
    q: Rate = 0.3
    eta: Annotated[float, Field(ge=0, lt=1)] = 0.2

    def candidates(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Independent draws for the wrong labels and the true one."""
        n, n_classes = len(train.labels), train.info.n_classes
        rows = np.arange(n)
        sets = rng.random((n, n_classes)) < self.q
        extra = other_class(train.labels, n_classes, rng)
        sets[rows, train.labels] = rng.random(n) >= self.eta
        empty = np.flatnonzero(~sets.any(axis=1))
        sets[empty, extra[empty]] = True
        return sets

    def describe(self) -> str:
        """Both probabilities."""
        return f"{self.name} {self.q:g} eta {self.eta:g}"
