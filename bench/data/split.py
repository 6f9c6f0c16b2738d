"""Holding out samples, stratified on their labels."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def stratified_split(labels: Array, share: float, seed: int) -> tuple[Array, Array]:
    """Positions of training and held-out samples, stratified on ``labels``.

    Args:
        labels: ``(n,)``; the given ones for the noisy validation split, so that true labels play
            no part in it.
        share: held-out share; 0 holds nothing out.
        seed: of the split axis.

    Returns:
        Sorted positions (train, held out).
    """
    rng = np.random.default_rng(seed)
    held = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        held.append(members[: round(len(members) * share)])
    out = np.sort(np.concatenate(held)).astype(np.int64)
    return np.setdiff1d(np.arange(len(labels)), out), out
