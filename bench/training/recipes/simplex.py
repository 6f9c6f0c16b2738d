"""Quadratic programs over probability vectors: projections, and an accelerated gradient method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def project(values: Array, allowed: Array) -> Array:
    """The nearest point to each row whose entries are >= 0, sum to 1, and are 0 if not allowed.

    Exact, by sorting (Held, Wolfe and Crowder 1974).

    Args:
        values: ``(n, m)`` float64.
        allowed: ``(n, m)`` bool, at least one in each row.
    """
    inside = np.where(allowed, values, -np.inf)
    ordered = -np.sort(-inside, axis=1)
    finite = np.where(np.isfinite(ordered), ordered, 0.0)
    count = np.arange(1, values.shape[1] + 1)
    threshold = (np.cumsum(finite, axis=1) - 1) / count
    positive = np.isfinite(ordered) & (ordered > threshold)
    last = positive.sum(axis=1) - 1
    cut = threshold[np.arange(len(values)), last]
    return np.asarray(np.where(allowed, np.maximum(values - cut[:, None], 0.0), 0.0))


def minimise(
    gradient: Callable[[Array], Array],
    lipschitz: float | Array,
    start: Array,
    allowed: Array,
    *,
    tolerance: float = 1e-8,
    steps: int = 2000,
) -> Array:
    """Minimise a convex quadratic over rows in the simplex: FISTA with restarts.

    Beck and Teboulle 2009, restarted where the momentum points uphill (O'Donoghue and Candes 2015).

    Args:
        gradient: of the objective at ``(n, m)``.
        lipschitz: a bound of the Hessian's largest eigenvalue; ``(n, 1)`` where rows are problems
            of their own.
        start: a first guess ``(n, m)``.
        allowed: ``(n, m)`` bool.
        tolerance: largest change of an entry at which to stop.
        steps: at most.
    """
    current = project(start, allowed)
    ahead, momentum = current, 1.0
    for _ in range(steps):
        following = project(ahead - gradient(ahead) / lipschitz, allowed)
        change = following - current
        if float(((ahead - following) * change).sum()) > 0:
            momentum = 1.0
        grown = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = following + (momentum - 1) / grown * change
        current, momentum = following, grown
        if float(np.abs(change).max()) < tolerance:
            break
    return current
