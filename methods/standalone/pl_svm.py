"""The maximum-margin partial-label learner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from bench.api import Field
from bench.training.recipes.standalone import StandAlone

if TYPE_CHECKING:
    from bench.training.recipes.standalone import Array


class PlSvm(StandAlone):
    """PL-SVM: the best candidate is to beat the best other label by a margin.

    ``λ/2 ||W||² + mean_i max(0, 1 - (max_{k in S} f_k - max_{k not in S} f_k))`` with linear f and
    no intercept, by stochastic subgradient descent in the manner of Pegasos: step ``1/(λ t)``,
    weights kept inside the ball of radius ``1/√λ``, mini-batches, λ = 1. Not convex; samples are
    drawn from the training's own generator. Told nothing, no network, no passes of one. Features
    are standardised.

    Deviation: λ and the order of samples as in the field's ports; the paper tunes λ.
    """

    name = "pl-svm"
    paper = "Nguyen and Caruana, Classification with Partial Labels, KDD 2008"
    scaling: Literal["rows", "standardise", "none"] = "standardise"
    lam: Annotated[float, Field(gt=0)] = 1.0
    sweeps: Annotated[int, Field(ge=1)] = 100
    batch: Annotated[int, Field(ge=1)] = 32

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """Sweeps over all samples."""
        import torch

        (n, d), c = x.shape, sets.shape[1]
        weight = np.zeros((d, c))
        step, draws = 0, self.run.generator("pegasos")
        everything = sets.all(axis=1)
        for _ in range(self.sweeps):
            order = torch.randperm(n, generator=draws).numpy()
            for rows in np.array_split(order, max(1, n // self.batch)):
                step += 1
                scores = x[rows] @ weight
                inside = np.where(sets[rows], scores, -np.inf).argmax(axis=1)
                outside = np.where(sets[rows], -np.inf, scores).argmax(axis=1)
                at = np.arange(len(rows))
                short = (scores[at, inside] - scores[at, outside] < 1) & ~everything[rows]
                push = np.zeros((len(rows), c))
                push[at[short], inside[short]] = 1
                push[at[short], outside[short]] -= 1
                weight *= 1 - 1 / step
                weight += x[rows].T @ push / (self.lam * step * len(rows))
                length = np.linalg.norm(weight)
                weight *= min(1.0, 1 / (np.sqrt(self.lam) * max(length, 1e-12)))
        self.put_weights(weight, np.zeros(c))
        scores = x @ weight
        best = np.where(sets, scores, -np.inf)
        other = np.where(sets, -np.inf, scores).max(axis=1)
        hinge = np.where(everything, 0, np.maximum(0, 1 - best.max(axis=1) + other))
        return np.eye(c)[best.argmax(axis=1)], float(hinge.mean())
