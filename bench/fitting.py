"""Which budget of a suite fits into a given time on this machine."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from bench.estimate import estimate
from bench.plan import make_plan
from bench.runner import sort_out
from bench.spec import load_suite

if TYPE_CHECKING:
    from bench.registry import Registry
    from bench.settings import Settings
    from bench.spec import Suite


def fitting_budget(
    name: str,
    suite: Suite,
    wall_s: float,
    limit_s: float,
    connection: sqlite3.Connection,
    registry: Registry,
    settings: Settings,
) -> tuple[str, float] | None:
    """The longest other budget that ends within ``limit_s``, else the shortest that is shorter.

    Each budget is planned and its own network probed, because budgets differ in more than epochs.

    Args:
        name: the suite as the user named it.
        suite: the suite at the budget that is too long.
        wall_s: seconds that it is estimated to take.
        limit_s: seconds that are acceptable.
        connection: past trainings, which count as done and tell times.
        registry: where plugins come from.
        settings: slots and device.

    Returns:
        Name and estimated seconds; None when the suite has no shorter budget.
    """
    known = []
    for budget in suite.budgets:
        if budget == suite.budget:
            continue
        plan = make_plan(load_suite(name, budget, registry), registry, settings.data_dir)
        todo = sort_out(connection, plan.trainings)
        guess = estimate(connection, todo.run, plan, registry, settings)
        if guess.wall_s < wall_s:
            known.append((guess.wall_s, budget))
    if not known:
        return None
    fits = [entry for entry in known if entry[0] <= limit_s]
    seconds, budget = max(fits) if fits else min(known)
    return budget, seconds
