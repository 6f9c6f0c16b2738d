"""Linear ridge regression on candidate sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from bench.api import Field
from bench.training.recipes.simplex import project
from bench.training.recipes.standalone import StandAlone

if TYPE_CHECKING:
    from bench.training.recipes.standalone import Array


class RidgeLearner(StandAlone):
    """Linear ridge regression with plain disambiguation: the primal weight that LIP can act on.

    As ``kernel-ridge``, on the features themselves: ``(XᵀX + λ I) W = Xᵀ T`` on centred features,
    a free intercept, targets projected onto the distributions over the candidates, ``rounds``
    times. Told nothing, no network, no passes: one factorisation of a ``d × d`` matrix. Features
    are standardised.
    """

    name = "ridge"
    paper = "plain form of ridge regression (Hoerl and Kennard 1970) on candidate sets"
    scaling: Literal["rows", "standardise", "none"] = "standardise"
    ridge: Annotated[float, Field(gt=0)] = 1.0
    rounds: Annotated[int, Field(ge=0)] = 10

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """Fit, project, and fit again."""
        from scipy.linalg import cho_factor, cho_solve

        mean = x.mean(axis=0)
        centred = x - mean
        factor = cho_factor(centred.T @ centred + self.ridge * np.eye(x.shape[1]))
        labels = sets / sets.sum(axis=1, keepdims=True)
        for round_ in range(self.rounds + 1):
            weight = cho_solve(factor, centred.T @ labels)
            bias = labels.mean(axis=0) - mean @ weight
            outputs = x @ weight + bias
            if round_ < self.rounds:
                labels = project(outputs, sets)
        self.put_weights(weight, bias)
        return labels, float(((outputs - labels) ** 2).sum(axis=1).mean())
