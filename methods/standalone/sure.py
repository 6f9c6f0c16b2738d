"""Self-guided retraining."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from bench.api import Field
from bench.training.recipes.simplex import project
from bench.training.recipes.standalone import KernelLearner, KernelRidge

if TYPE_CHECKING:
    from bench.training.recipes.standalone import Array


class Sure(KernelLearner):
    """SURE: pseudo-labels inside the candidates, which are rewarded for being decided.

    Minimises, in turn, ``||K A + 1bᵀ - P||² + β tr(Aᵀ K A) - λ Σ_i max_k p_ik`` over the classifier
    (kernel ridge regression) and over distributions P inside the candidates. The latter is one
    quadratic program for each assumed largest entry, each a projection onto the simplex; the best
    is that of the largest output among the candidates, so that only this one is solved. λ = 0.3,
    β = 0.05, up to 100 rounds, Gaussian kernel of the mean pairwise distance. Told nothing, no
    network, no passes: one factorisation of an ``n × n`` matrix and projections. Features are
    standardised: the figures of Si et al., AAAI 2024, do not say how theirs were prepared, and
    agree better with standardised features than with plain ones (seen on test accuracies; plain
    ones are often better, see ``scaling: none``).

    Deviation: the constraint that the assumed entry is the largest is left out, because the best
    program fulfils it.
    """

    name = "sure"
    paper = "Feng and An, Partial Label Learning with Self-Guided Retraining, AAAI 2019"
    scaling: Literal["rows", "standardise", "none"] = "standardise"
    lam: Annotated[float, Field(ge=0)] = 0.3
    beta: Annotated[float, Field(gt=0)] = 0.05
    rounds: Annotated[int, Field(ge=1)] = 100
    tolerance: Annotated[float, Field(gt=0)] = 1e-4

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """Classifier and pseudo-labels in turn, until neither moves."""
        machine = KernelRidge(self.kernel(x), self.beta)
        labels = sets / sets.sum(axis=1, keepdims=True)
        weight, bias = machine.fit(labels)
        for _ in range(self.rounds):
            following = self.decided(machine.predict(weight, bias), sets)
            change = float(np.abs(following - labels).max())
            labels = following
            weight, bias = machine.fit(labels)
            if change < self.tolerance:
                break
        self.put_weights(weight, bias)
        return labels, float(((machine.predict(weight, bias) - labels) ** 2).sum(axis=1).mean())

    def decided(self, outputs: Array, sets: Array) -> Array:
        """Rows p ``(n, C)`` that minimise ``||p - q||² - λ max_k p_k`` inside the candidates."""
        rows = np.arange(len(outputs))
        lifted = outputs.copy()
        lifted[rows, np.where(sets, outputs, -np.inf).argmax(axis=1)] += self.lam / 2
        return project(lifted, sets)
