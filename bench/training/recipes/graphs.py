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


def simplex_weights(gram: Array) -> Array:
    """Weights ``(n, k)``, >= 0 with rows summing to 1, that minimise ``wᵀ G w`` for each sample.

    Exact: ``u >= 0`` that minimises ``uᵀ G u / 2 - 1ᵀ u`` is w times a positive number, for both
    meet the same optimality conditions, and u is a non-negative least squares problem.

    Args:
        gram: ``(n, k, k)`` symmetric positive semidefinite.
    """
    from scipy.optimize import nnls

    k = gram.shape[1]
    scale = np.trace(gram, axis1=1, axis2=2)[:, None, None] / k
    # A ridge that does not matter makes the minimiser unique where neighbours coincide.
    scaled = gram / np.where(scale > 0, scale, 1.0) + 1e-6 * np.eye(k)
    factor = np.linalg.cholesky(scaled)
    right = np.linalg.solve(factor, np.ones((len(gram), k, 1)))[:, :, 0]
    found = np.stack([nnls(f.T, r)[0] for f, r in zip(factor, right, strict=True)])
    return np.asarray(found / found.sum(axis=1, keepdims=True))


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
