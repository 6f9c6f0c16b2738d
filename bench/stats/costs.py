"""What a training of each method takes, measured."""

from __future__ import annotations

import pandas as pd

REFERENCE = "ce"
"""The method that costs are told in."""


def costs_of(methods: pd.DataFrame) -> pd.DataFrame:
    """What a training of each method takes: method, cost, unit, seconds.

    Relative to the method ``REFERENCE`` where the board has it, else in seconds.

    Args:
        methods: method, train_s.
    """
    seconds = methods["train_s"].astype(float)
    reference = seconds[methods["method"] == REFERENCE]
    relative = len(reference) == 1 and float(reference.iloc[0]) > 0
    cost = seconds / float(reference.iloc[0]) if relative else seconds
    unit = f"training time, × {REFERENCE}" if relative else "training time, seconds"
    return pd.DataFrame(
        {"method": methods["method"], "cost": cost, "unit": unit, "seconds": seconds}
    )
