"""Phases that papers give in epochs, in runs of another length."""

from __future__ import annotations


def shortened(epochs: float, share: float, n_epochs: int) -> int:
    """The paper's number of epochs, but at most ``share`` of the run, and at least one."""
    return max(1, round(min(epochs, share * n_epochs)))


def ramp(epoch: float, length: float) -> float:
    """From 0 to 1, linearly over ``length`` epochs; 1 where there is nothing to ramp over."""
    return 1.0 if length <= 0 else min(max(epoch / length, 0.0), 1.0)
