"""Instance-dependent noise by parts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bench.api import DataInfo, Incompatible, Noise, Rate, TrainingSet

if TYPE_CHECKING:
    from collections.abc import Iterator

SPREAD = 0.1
"""Standard deviation of the flip rates, before they are truncated to 0..1."""
LEAST = SPREAD * math.sqrt(2 / math.pi)
"""Mean of the flip rates at ``rate`` 0, half of a normal distribution: none is smaller."""
BLOCK = 4096
"""Samples at a time: bounded memory however many there are."""


class Instance(Noise):
    """Which class a label flips to depends on what the sample looks like.

    Algorithm 2 of the paper: every sample has a flip rate of its own from a normal distribution
    (mean ``rate``, deviation 0.1) truncated to 0..1, and every true class a Gaussian matrix
    ``W ~ N(0, 1)`` (d, C). Scores ``x W`` without the true class become probabilities of the wrong
    classes by soft-max, times the flip rate.

    ``scaling`` matters more than it seems: the authors' code multiplies ``raw`` pixel values
    (0 to 255), where the soft-max is nearly one-hot and the wrong class all but a function of
    image and class. ``standardised`` features give soft-max scores of moderate size. The mean of
    the truncated distribution is not exactly ``rate`` (0.1 gives 0.129); what came out is stored,
    and a rate that no such mean can be is refused.
    """

    name = "instance"
    paper = "Xia et al., Part-dependent Label Noise, NeurIPS 2020, arXiv 2006.07836"
    rate: Rate = 0.4
    scaling: Literal["raw", "standardised"] = "raw"

    def check(self, data: DataInfo) -> None:
        """Truncation keeps the mean flip rate away from 0 and from 1."""
        if not LEAST <= self.rate <= 1 - LEAST:
            raise Incompatible(
                f"instance noise cannot be wrong at a rate of {self.rate:g}: flip rates of "
                f"deviation {SPREAD:g}, truncated to 0..1, are {LEAST:.3f} to {1 - LEAST:.3f} on "
                f"average"
            )

    def corrupt(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """One draw a sample from its own distribution."""
        given = np.empty_like(train.labels)
        for rows, probabilities in self.distributions(train, rng):
            cumulative = probabilities.cumsum(axis=1)
            cumulative[:, -1] = 1.0
            drawn = rng.random(len(rows))
            given[rows] = (drawn[:, None] >= cumulative).sum(axis=1)
        return given

    def describe(self) -> str:
        """The rate, and the scaling where it is not the authors'."""
        suffix = "" if self.scaling == "raw" else f" {self.scaling}"
        return f"{self.name} {self.rate:g}{suffix}"

    def distributions(
        self, train: TrainingSet, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Blocks of samples of one class: their rows, and P(given | sample) ``(m, C)``."""
        from scipy.special import softmax
        from scipy.stats import truncnorm

        n_classes = train.info.n_classes
        low, high = (0 - self.rate) / SPREAD, (1 - self.rate) / SPREAD
        flip = truncnorm.ppf(rng.random(len(train.labels)), low, high, self.rate, SPREAD)
        width = int(np.prod(train.inputs.shape[1:]))
        mean, deviation = self._scale(train)
        for label in range(n_classes):
            weight = rng.standard_normal((width, n_classes))
            members = np.flatnonzero(train.labels == label)
            for rows in np.array_split(members, max(1, -(-len(members) // BLOCK))):
                x = train.inputs[rows].reshape(len(rows), -1).astype(np.float64)
                scores = ((x - mean) / deviation) @ weight
                scores[:, label] = -np.inf
                probabilities = flip[rows, None] * softmax(scores, axis=1)
                probabilities[:, label] = 1 - flip[rows]
                yield rows, probabilities

    def _scale(self, train: TrainingSet) -> tuple[Any, Any]:
        if self.scaling == "raw":
            return 0.0, 1.0
        total = square = np.zeros(int(np.prod(train.inputs.shape[1:])))
        for start in range(0, len(train.labels), BLOCK):
            x = train.inputs[start : start + BLOCK].astype(np.float64)
            x = x.reshape(len(x), -1)
            total, square = total + x.sum(axis=0), square + (x**2).sum(axis=0)
        mean = total / len(train.labels)
        deviation = np.sqrt(np.maximum(square / len(train.labels) - mean**2, 0))
        return mean, np.where(deviation > 0, deviation, 1.0)
