"""Labels as the data set came with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.api import DataInfo, Incompatible, Noise, TrainingSet

if TYPE_CHECKING:
    import numpy as np


class Real(Noise):
    """The labels, or candidate sets, that annotators, crawlers or users gave; nothing is drawn.

    How many are wrong is known only where the data set holds true labels beside them.
    """

    name = "real"
    needs_truth = False

    def check(self, data: DataInfo) -> None:
        """The data set must have labels other than true ones."""
        if data.truth and not data.given and not data.partial:
            raise Incompatible(f"the labels of {data.label} are true as they come; use clean")

    def candidates(
        self, train: TrainingSet, rng: np.random.Generator
    ) -> np.ndarray[Any, Any] | None:
        """The candidate sets, where samples came with such."""
        return None if train.candidates is None else train.candidates.copy()

    def corrupt(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Labels as given."""
        return (train.labels if train.given is None else train.given).copy()
