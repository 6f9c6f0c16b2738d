"""How alike two subspaces are: similarity with its chance level, angles, and their bound.

After Si et al., arXiv 2505.16159. Columns of ``first`` and ``second`` are right singular vectors in
the space of the ``l`` labels, strongest first: of a head that was trained on true labels and of
its twin on wrong ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


def similarity(first: Array, second: Array) -> Array:
    """``φ(i, j) = ||V_{:i}ᵀ V'_{:j}||²_F / min(i, j)`` for all i and j, ``(r, r')`` in 0..1.

    Args:
        first: orthonormal columns ``(l, r)``.
        second: orthonormal columns ``(l, r')``.

    Raises:
        ValueError: the columns are of different lengths.
    """
    if len(first) != len(second):
        raise ValueError(f"vectors of {len(first)} and of {len(second)} labels cannot be compared")
    shared = np.square(first.T @ second).cumsum(axis=0).cumsum(axis=1)
    i, j = np.indices(shared.shape) + 1
    return np.asarray(shared / np.minimum(i, j))


def chance_level(shape: tuple[int, ...], n_labels: int) -> Array:
    """``max(i, j) / l``: the mean similarity of two subspaces that were drawn at random."""
    i, j = np.indices(shape) + 1
    return np.asarray(np.maximum(i, j) / n_labels)


def above_chance(found: Array, n_labels: int) -> Array:
    """``(φ - chance) / (1 - chance)``: 0 is chance, 1 is equal; NaN where chance is 1."""
    chance = chance_level(found.shape, n_labels)
    room = 1 - chance
    return np.asarray(
        np.where(room > 1e-12, (found - chance) / np.where(room > 0, room, 1), np.nan)
    )


def largest_sines(first: Array, second: Array) -> Array:
    """Sine of the largest principal angle between the first k columns, for every k ``(r,)``.

    From the part of ``second`` that lies outside ``first``, which keeps small angles exact where
    the cosine would be rounded to 1.
    """
    r = min(first.shape[1], second.shape[1])
    sines = np.zeros(r)
    for k in range(1, r + 1):
        inside, other = first[:, :k], second[:, :k]
        sines[k - 1] = np.linalg.norm(other - inside @ (inside.T @ other), ord=2)
    return np.clip(sines, 0, 1)


def sine_bounds(
    *,
    sigma_max: float,
    lambda_min: float,
    penalty: float,
    label_change: float,
    true_values: Array,
    given_values: Array,
) -> Array:
    """The bound on the sine for ridge heads at every k ``(r,)``; infinite where it says nothing.

    ``sin θ <= σ_max(X) sqrt(n l p) / (δ (λ_min(XᵀX) + λ))``. Here ``n l p`` is the exact
    ``||Y - Y*||²_F`` (p is the share of entries of Y that are wrong), and δ the gap of Wedin's
    theorem, from the k-th singular value of the true head to the (k+1)-th of the other one: the
    strongest reading of what the paper states, under which the bound holds for every single pair.
    """
    following = np.append(given_values[1:], 0.0)
    gap = true_values - following
    change = sigma_max * np.sqrt(label_change) / (lambda_min + penalty)
    return np.asarray(
        np.where(gap > 0, change / np.where(gap > 0, gap, 1), np.inf if change > 0 else 0.0)
    )


def energy_rank(values: Array, share: float) -> int:
    """The smallest k whose squared singular values hold this share of all; 1 for a zero head."""
    energy = np.square(values)
    total = float(energy.sum())
    if total == 0:
        return 1
    return int(np.searchsorted(np.cumsum(energy) / total, share - 1e-12) + 1)
