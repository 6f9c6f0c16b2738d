"""Holding out samples with their given labels: what selectors may see instead of test data."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def noisy_split(given: Array, share: float, seed: int) -> tuple[Array, Array]:
    """Positions of training and held-out samples, stratified on the labels as given.

    Args:
        given: labels as given ``(n,)``; true labels play no part.
        share: held-out share; 0 holds nothing out.
        seed: of the split axis.

    Returns:
        Sorted positions (train, held out).
    """
    rng = np.random.default_rng(seed)
    held = []
    for label in np.unique(given):
        members = rng.permutation(np.flatnonzero(given == label))
        held.append(members[: round(len(members) * share)])
    out = np.sort(np.concatenate(held)).astype(np.int64)
    return np.setdiff1d(np.arange(len(given)), out), out
