"""Graphs over the training samples, and what is smooth on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.training.recipes.simplex import minimise

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = np.ndarray[Any, Any]


def unit_rows(x: Array) -> Array:
    """Each sample divided by its length."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(length > 0, length, 1.0))


def neighbours(x: Array, k: int) -> Array:
    """The ``k`` nearest other samples of each ``(n, k)``, nearest first; fewer of a tiny set."""
    from sklearn.neighbors import NearestNeighbors

    k = min(k, len(x) - 1)
    found: Array = NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)
    return found


def reconstruction_gram(values: Array, near: Array) -> Array:
    """``(n, k, k)``: inner products of a sample's differences to its neighbours.

    With weights w that sum to 1, ``wᵀ G w`` is the square of the error of writing the sample as the
    weighted sum of its neighbours.
    """
    difference = values[:, None, :] - values[near]
    return np.asarray(difference @ difference.transpose(0, 2, 1))


def simplex_weights(gram: Array, start: Array | None = None) -> Array:
    """Weights ``(n, k)``, >= 0 with rows summing to 1, that minimise ``wᵀ G w`` for each sample."""
    n, k = gram.shape[:2]
    # A ridge that does not matter makes the minimiser unique where neighbours coincide.
    scale = np.trace(gram, axis1=1, axis2=2)[:, None, None] / k
    gram = gram + 1e-6 * np.maximum(scale, 1e-12) * np.eye(k)
    largest = 2 * np.abs(gram).sum(axis=2).max(axis=1)[:, None]

    def gradient(weights: Array) -> Array:
        return np.asarray(2 * (gram @ weights[:, :, None])[:, :, 0])

    first = np.full((n, k), 1 / k) if start is None else start
    return minimise(gradient, largest, first, np.ones((n, k), dtype=bool), tolerance=1e-7)


def as_matrix(weights: Array, near: Array) -> csr_matrix:
    """``(n, n)`` sparse with row i holding the weights of sample i's neighbours."""
    from scipy.sparse import csr_matrix

    n, k = near.shape
    return csr_matrix((weights.ravel(), near.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))


def roughness(weights: Array, near: Array) -> csr_matrix:
    """``(I - W)ᵀ (I - W)``: how far labels are from the weighted sum of the neighbours' labels."""
    from scipy.sparse import identity

    difference = identity(len(near), format="csr") - as_matrix(weights, near)
    return (difference.T @ difference).tocsr()


def smoothest_labels(graph: Any, sets: Array) -> Array:
    """Label distributions ``(n, C)`` inside the sets that minimise ``tr(Fᵀ graph F)``."""
    bound = float(np.asarray(abs(graph).sum(axis=1)).max())

    def gradient(labels: Array) -> Array:
        return np.asarray(2 * (graph @ labels))

    start = sets / sets.sum(axis=1, keepdims=True)
    return minimise(gradient, max(2 * bound, 1e-12), start, sets)


def smooth_labels(targets: Array, graph: Any, sets: Array, weight: float, start: Array) -> Array:
    """Label distributions ``(n, C)`` inside the sets, close to targets and smooth on the graph.

    Minimises ``||F - targets||² + weight tr(Fᵀ graph F)`` over rows in the simplex that are 0
    outside the candidate sets.

    Args:
        targets: ``(n, C)``.
        graph: symmetric positive semidefinite ``(n, n)``, sparse or dense.
        sets: ``(n, C)`` bool.
        weight: of the smoothness.
        start: a first guess.
    """
    bound = float(np.asarray(abs(graph).sum(axis=1)).max())

    def gradient(labels: Array) -> Array:
        return np.asarray(2 * (labels - targets) + 2 * weight * (graph @ labels))

    return minimise(gradient, 2 + 2 * weight * bound, start, sets)
