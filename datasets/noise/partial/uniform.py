"""Candidate sets that any wrong label may enter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bench.api import Noise, Rate, TrainingSet

if TYPE_CHECKING:
    from collections.abc import Mapping


class PartialUniform(Noise):
    """Every wrong label enters the candidate set with probability ``q``; the true one is in it.

    Two conventions: ``singletons: keep`` leaves sets of one label as they are (PiCO; at small q a
    large share of the samples is then supervised), ``fill`` adds one wrong label to them (PRODEN,
    CRDPLL), so that no sample is. Figures of the two are not comparable.
    """

    name = "partial-uniform"
    paper = "Lv et al., Progressive Identification, ICML 2020, arXiv 2002.08053"
    q: Rate = 0.3
    singletons: Literal["keep", "fill"] = "keep"

    def candidates(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """One independent draw a sample and wrong label."""
        n, n_classes = len(train.labels), train.info.n_classes
        sets = rng.random((n, n_classes)) < self.q
        extra = other_class(train.labels, n_classes, rng)
        sets[np.arange(n), train.labels] = True
        if self.singletons == "fill":
            alone = np.flatnonzero(sets.sum(axis=1) == 1)
            sets[alone, extra[alone]] = True
        return sets

    def conventions(self) -> Mapping[str, Noise]:
        """The other of the two."""
        other = "fill" if self.singletons == "keep" else "keep"
        return {f"singletons {other}": PartialUniform(q=self.q, singletons=other)}

    def describe(self) -> str:
        """The probability; the convention where it is not PiCO's."""
        return f"{self.name} {self.q:g}{' filled' if self.singletons == 'fill' else ''}"


def other_class(
    labels: np.ndarray[Any, Any], n_classes: int, rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    """A uniform draw from the classes that are not the label ``(n,)``."""
    return np.asarray((labels + rng.integers(1, n_classes, len(labels))) % n_classes)
