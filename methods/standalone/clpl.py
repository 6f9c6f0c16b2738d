"""Convex learning from partial labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from bench.api import Field
from bench.training.recipes.standalone import StandAlone

if TYPE_CHECKING:
    from bench.training.recipes.standalone import Array


class Clpl(StandAlone):
    """CLPL: the mean score of the candidates is to be positive, every other label's negative.

    ``Σ_i ψ(mean_{k in S} f_k) + Σ_{k not in S} ψ(-f_k)`` with the squared hinge ψ(u) = max(0, 1-u)²
    and linear f, plus ``||W||² / (2 C)``: convex, minimised by L-BFGS to the end. C = 1, as
    LIBLINEAR's default, which the authors use. Told nothing, no network, no passes. Features are
    standardised.

    Deviation: the intercept is not penalised, where LIBLINEAR counts it as one more feature.
    """

    name = "clpl"
    paper = "Cour, Sapp and Taskar, Learning from Partial Labels, JMLR 2011"
    scaling: Literal["rows", "standardise", "none"] = "standardise"
    cost_factor: Annotated[float, Field(gt=0)] = 1.0

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """One convex problem."""
        from scipy.optimize import minimize

        (n, d), c = x.shape, sets.shape[1]
        mean_of = sets / sets.sum(axis=1, keepdims=True)
        outside = ~sets

        def objective(flat: Array) -> tuple[float, Array]:
            weight, bias = flat[: d * c].reshape(d, c), flat[d * c :]
            scores = x @ weight + bias
            inside = np.maximum(0, 1 - (scores * mean_of).sum(axis=1))
            others = np.maximum(0, 1 + scores) * outside
            value = (inside**2).sum() + (others**2).sum()
            by_score = 2 * others - 2 * inside[:, None] * mean_of
            gradient = x.T @ by_score + weight / self.cost_factor
            value += (weight**2).sum() / (2 * self.cost_factor)
            return float(value), np.concatenate([gradient.ravel(), by_score.sum(axis=0)])

        found = minimize(
            objective, np.zeros(d * c + c), jac=True, method="L-BFGS-B", options={"maxiter": 5000}
        )
        weight, bias = found.x[: d * c].reshape(d, c), found.x[d * c :]
        self.put_weights(weight, bias)
        scores = np.where(sets, x @ weight + bias, -np.inf)
        return np.eye(c)[scores.argmax(axis=1)], float(found.fun) / n
