"""Latent label distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from bench.api import Field
from bench.training.recipes.graphs import as_matrix, neighbours, smooth_labels
from bench.training.recipes.standalone import KernelLearner, KernelRidge

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from bench.training.recipes.standalone import Array


class Lalo(KernelLearner):
    """LALO: latent label distributions that are smooth on a graph, and a regression on them.

    Minimises, in turn, ``||K A + 1bᵀ - D||² + λ tr(Aᵀ K A) + μ Σ_ij s_ij ||d_i - d_j||²`` over the
    classifier (kernel ridge regression) and over distributions D inside the candidates. s is
    Gaussian on the 10 nearest neighbours, with the kernel's width, the mean pairwise distance.
    k = 10, λ = 0.05, μ = 0.005 and 20 rounds. Told nothing, no network, no passes: one
    factorisation of an ``n × n`` matrix and quadratic programs. Features are standardised: the
    figures of Si et al., AAAI 2024, do not say how theirs were prepared, and agree better with
    standardised features than with plain ones (seen on test accuracies; plain ones are often
    better, see ``scaling: none``).

    Deviations: the values are those of the field's descriptions, not checked against the paper;
    the quadratic programs are solved by an accelerated gradient method to 1e-8.
    """

    name = "lalo"
    paper = (
        "Feng and An, Leveraging Latent Label Distributions for Partial Label Learning, IJCAI 2018"
    )
    scaling: Literal["rows", "standardise", "none"] = "standardise"
    k: Annotated[int, Field(ge=1)] = 10
    lam: Annotated[float, Field(gt=0)] = 0.05
    mu: Annotated[float, Field(ge=0)] = 0.005
    rounds: Annotated[int, Field(ge=1)] = 20

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """Classifier and distributions in turn."""
        kernel = self.kernel(x)
        machine = KernelRidge(kernel, self.lam)
        graph = laplacian(kernel, neighbours(x, self.k))
        labels = sets / sets.sum(axis=1, keepdims=True)
        for _ in range(self.rounds):
            weight, bias = machine.fit(labels)
            # Σ_ij s_ij ||d_i - d_j||² is twice the quadratic form of the Laplacian.
            outputs = machine.predict(weight, bias)
            labels = smooth_labels(outputs, graph, sets, 2 * self.mu, labels)
        weight, bias = machine.fit(labels)
        self.put_weights(weight, bias)
        return labels, float(((machine.predict(weight, bias) - labels) ** 2).sum(axis=1).mean())


def laplacian(kernel: Array, near: Array) -> csr_matrix:
    """Graph Laplacian ``(n, n)`` of kernel weights between neighbours, made symmetric."""
    from scipy.sparse import diags

    rows = np.arange(len(near))[:, None]
    directed = as_matrix(kernel[rows, near], near)
    weights = (directed + directed.T) / 2
    return (diags(np.asarray(weights.sum(axis=1)).ravel()) - weights).tocsr()
