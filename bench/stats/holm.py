"""Holm's correction for several tests at once."""

from __future__ import annotations

import numpy as np

from bench.stats.groups import Array


def holm(p: Array) -> Array:
    """Holm's step-down correction; NaN stays NaN and does not count as a test.

    Args:
        p: p-values ``(tests,)``.
    """
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps * p[order]))
    return adjusted
