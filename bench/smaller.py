"""Which smaller budget of a suite would fit into a given time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.plan import Plan
    from bench.records import TrainingSpec
    from bench.spec import Budget, Suite


def fitting_budget(
    plan: Plan, trainings: Sequence[TrainingSpec], wall_s: float, limit_s: float
) -> tuple[str, float] | None:
    """The largest budget with the same backbone known to fit, or the smallest one there is.

    The time of another budget is scaled from this one's by trainings and epochs; one that changes
    the backbone is only ever faster in the shipped suites, so its time is an upper bound.

    Returns:
        Name and estimated seconds; None when the suite has no smaller budget.
    """
    suite = plan.suite
    here = len(trainings) * suite.protocol.epochs
    scaled = []
    for name, budget in suite.budgets.items():
        if name != suite.budget:
            seconds = wall_s * _size(suite, budget) / max(1, here)
            if seconds < wall_s:
                scaled.append((seconds, name))
    if not scaled:
        return None
    fits = [entry for entry in scaled if entry[0] <= limit_s]
    seconds, name = max(fits) if fits else min(scaled)
    return name, seconds


def _size(suite: Suite, budget: Budget) -> float:
    """Trainings times epochs of a budget."""
    epochs = budget.protocol.get("epochs", suite.protocol.epochs)
    cells = 1
    for axis in ("datasets", "noises", "methods"):
        cells *= len(getattr(budget, axis) or getattr(suite, axis))
    return float(cells * len(budget.seeds or suite.seeds) * epochs)
