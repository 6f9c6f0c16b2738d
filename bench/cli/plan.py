"""``plan``: what a suite asks for and what of it is done, without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.cli import options

if TYPE_CHECKING:
    from bench.plan import Plan
    from bench.runner import Todo
    from bench.training_spec import TrainingSpec


def plan(
    suite: options.SuiteName,
    budget: options.BudgetName = None,
    only: options.Only = None,
    db: options.Db = options.DEFAULT_DB,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    device: options.Device = "auto",
    jobs: options.Jobs = None,
    plugin: options.Plugins = None,
) -> None:
    """Show every cell of a suite: done, to run, failed, or incompatible and why.

    Nothing runs and nothing is written but the noise artefacts beside the data.

    [dim]Example:[/dim] python -m bench plan cifar100 --budget smoke
    """
    from bench import plan as planning
    from bench.cli.console import terminal
    from bench.estimate import describe_estimate, estimate
    from bench.registry import discover
    from bench.runner import sort_out
    from bench.settings import Settings
    from bench.spec import load_suite
    from bench.store.database import peek

    registry = discover(plugin or ())
    made = planning.make_plan(load_suite(suite, budget, registry), registry, data_dir)
    trainings = list(planning.only(made, options.parse_only(only)))
    console = terminal()
    settings = Settings(db, data_dir, device, jobs)
    with peek(db) as connection:
        todo = sort_out(connection, trainings)
        guess = estimate(connection, todo.run, made, registry, settings)
    console.print(_table(made, todo))
    for reason, count in _reasons(made).items():
        console.print(f"{count} cells left out: {reason}", style="dim", markup=False)
    console.print(
        f"{len(trainings)} trainings: {len(todo.done)} done, {len(todo.run)} to run, "
        f"{len(todo.failed)} failed before. {describe_estimate(guess)}",
        markup=False,
    )


def _table(made: Plan, todo: Todo) -> object:
    from rich.table import Table
    from rich.text import Text

    states = {training.key: name for name, group in _groups(todo) for training in group}
    labels = {info.fingerprint: info.label for info in made.data}
    methods = list(dict.fromkeys(t.method_label for t in made.trainings))
    cells: dict[tuple[str, str], dict[str, dict[str, int]]] = {}
    for training in made.trainings:
        state = states.get(training.key)
        if state is not None:
            block = cells.setdefault((labels[training.fingerprint], training.noise.label), {})
            counts = block.setdefault(training.method_label, {})
            counts[state] = counts.get(state, 0) + 1
    data = ", ".join(labels.values())
    title = f"{made.suite.suite}, budget {made.suite.budget or '–'}, on {data}"
    table = Table(title=Text(title), title_justify="left")
    left_out = {(cell.dataset, cell.noise, cell.method) for cell in made.excluded}
    blocks = list(dict.fromkeys([*cells, *((c.dataset, c.noise) for c in made.excluded)]))
    several = len({dataset for dataset, _ in blocks}) > 1
    table.add_column("method", no_wrap=True)
    for dataset, noise in blocks:
        table.add_column(Text(f"{dataset} {noise}" if several else noise))
    for method in methods:
        table.add_row(
            Text(method),
            *(
                "[dim]incompatible[/dim]"
                if (*block, method) in left_out
                else _cell(cells.get(block, {}).get(method, {}))
                for block in blocks
            ),
        )
    return table


def _groups(todo: Todo) -> list[tuple[str, tuple[TrainingSpec, ...]]]:
    return [("done", todo.done), ("to run", todo.run), ("failed", todo.failed)]


def _cell(counts: dict[str, int]) -> str:
    colours = {"done": "green", "to run": "yellow", "failed": "red"}
    return ", ".join(f"[{colours[name]}]{count} {name}[/]" for name, count in counts.items())


def _reasons(made: Plan) -> dict[str, int]:
    reasons: dict[str, int] = {}
    for cell in made.excluded:
        reason = f"{cell.dataset}, {cell.noise}: {cell.reason}"
        reasons[reason] = reasons.get(reason, 0) + 1
    return reasons
