"""Symmetric noise, in the field's two conventions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bench.api import DataInfo, Noise, Rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy import ndarray


class Symmetric(Noise):
    """Any other class with equal probability; the convention must be named.

    ``exclusive``: a label becomes one of the other classes with probability ``rate`` (Co-teaching,
    APL and the transition-matrix papers). ``inclusive``: it is redrawn from all classes, the true
    one included, so that the wrong share is ``rate * (1 - 1/C)`` (DivideMix, ELR, SAT).
    """

    name = "symmetric"
    paper = "van Rooyen et al., NeurIPS 2015, arXiv 1505.07634"
    rate: Rate = 0.5
    convention: Literal["exclusive", "inclusive"] = "exclusive"

    def transition_matrix(self, data: DataInfo) -> ndarray[Any, Any]:
        """Equal off-diagonal entries."""
        n = data.n_classes
        wrong = self.rate / n if self.convention == "inclusive" else self.rate / (n - 1)
        matrix = np.full((n, n), wrong)
        np.fill_diagonal(matrix, 1 - wrong * (n - 1))
        return matrix

    def conventions(self) -> Mapping[str, Noise]:
        """The other of the two."""
        other = "inclusive" if self.convention == "exclusive" else "exclusive"
        return {other: Symmetric(rate=self.rate, convention=other)}

    def describe(self) -> str:
        """The rate; the convention where it is the less literal one."""
        suffix = " incl." if self.convention == "inclusive" else ""
        return f"symmetric {self.rate:g}{suffix}"
