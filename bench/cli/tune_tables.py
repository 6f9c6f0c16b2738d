"""What ``tune`` shows: spaces and costs beforehand, winners afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from rich.console import Console

    from bench.cli.running import How
    from bench.registry import Registry
    from bench.spec import Suite
    from bench.training_spec import TrainingSpec
    from bench.tuning.choose import Choice
    from bench.tuning.trials import Trials, TunedCell


def matching(tried: Trials, filters: Mapping[str, set[str]]) -> list[TrainingSpec]:
    """Trainings of the trials of the cells that the filters name."""
    cells = [cell for cell in tried.cells if _matches(cell, filters)]
    found = {t.key: t for cell in cells for trial in cell.trials for t in trial.trainings}
    return list(found.values())


def _matches(cell: TunedCell, filters: Mapping[str, set[str]]) -> bool:
    first = cell.first
    values = {
        "method": {first.method, first.method_label},
        "dataset": {first.dataset},
        "noise": {first.noise.name, first.noise.label},
    }
    if "seed" in filters:
        raise BenchError("--only seed=… has no meaning here: tuning chooses the seeds of trials")
    return all(values[axis] & wanted for axis, wanted in filters.items())


def show_plan(
    tried: Trials,
    filters: Mapping[str, set[str]],
    suite: Suite,
    connection: sqlite3.Connection,
    registry: Registry,
    how: How,
    console: Console,
) -> None:
    """What tuning would search and cost."""
    from rich.table import Table
    from rich.text import Text

    from bench import runner
    from bench.engines.engine import find
    from bench.estimate import describe_estimate, estimate

    cells = [cell for cell in tried.cells if _matches(cell, filters)]
    table = Table(title=f"{suite.suite}, {tried.tuning.trials} trials a cell", title_justify="left")
    for column in ("method", "searched", "cells", "trainings"):
        table.add_column(column, justify="left" if column in ("method", "searched") else "right")
    for label in dict.fromkeys(cell.first.method_label for cell in cells):
        own = [cell for cell in cells if cell.first.method_label == label]
        keys = {t.key for cell in own for trial in cell.trials for t in trial.trainings}
        space = {**tried.spaces[label], **_protocol_space(tried, own[0])}
        lines = [f"{name}: {kind}" for name, kind in space.items()]
        text = "\n".join(lines) or "nothing: its own values are all there is"
        table.add_row(Text(label), Text(text), str(len(own)), str(len(keys)))
    console.print(table)
    for reason in dict.fromkeys(f"{c.dataset}: {c.reason}" for c in tried.excluded):
        console.print(f"left out: {reason}", style="dim", markup=False)
    wanted = matching(tried, filters)
    todo = runner.sort_out(connection, wanted)
    time = ""
    if find(how.engine).is_here:
        guess = estimate(connection, todo.run, tried.plan, registry, how.settings)
        time = describe_estimate(guess)
    console.print(
        f"{len(wanted)} different trainings of trials: {len(todo.done)} done, {len(todo.run)} to "
        f"run. {time}\nThen {len(cells) * len(suite.seeds)} trainings of the "
        f"winners: {len(suite.seeds)} seeds, {len(suite.refiners)} refiners each.",
        highlight=False,
        markup=False,
    )


def _protocol_space(tried: Trials, cell: TunedCell) -> dict[str, object]:
    searched = set().union(*(trial.setting.optimiser for trial in cell.trials))
    return {name: kind for name, kind in tried.protocol_space.items() if name in searched}


def show_winners(tried: Trials, choice: Choice, console: Console) -> None:
    """What was chosen, beside the accuracy of the suite's own values."""
    from rich.table import Table
    from rich.text import Text

    labels = {info.fingerprint: info.label for info in tried.plan.data}
    several = len(labels) > 1
    table = Table(title="Winners by noisy validation", title_justify="left")
    for column in ("method", "noise", "configuration"):
        table.add_column(column)
    for column in ("own values", "winner"):
        table.add_column(column, justify="right")
    for winner in choice.winners.values():
        data, noise, method = winner.place
        where = f"{labels[data]} {noise}" if several else noise
        own = winner.own_noisy_val_accuracy
        table.add_row(
            Text(method),
            Text(where),
            Text(str(winner.setting) or "its own values"),
            "failed" if own is None else f"{100 * own:.1f}",
            f"{100 * winner.noisy_val_accuracy:.1f}",
        )
    if choice.winners:
        console.print(table)
    for places, what in ((choice.open, "not tried yet in full"), (choice.hopeless, "all failed")):
        if places:
            console.print(f"{len(places)} cells have no winner: trials {what}.", style="yellow")
