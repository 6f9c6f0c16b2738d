"""``run``: execute what a suite still misses, then show the leaderboard and LIP's gains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.cli import options, running
from bench.errors import BenchError, nearest
from bench.training import keeping

if TYPE_CHECKING:
    from rich.console import Console
    from sqlite_utils import Database

    from bench.plan import Plan
    from bench.registry import Registry
    from bench.runner import Todo
    from bench.settings import Settings
    from bench.spec import Suite
    from bench.training_spec import TrainingSpec

LONG_S = 20 * 60
"""Beyond this, a plan on a CPU says which smaller budget would fit."""


def run(
    suite: options.SuiteName,
    budget: options.BudgetName = None,
    only: options.Only = None,
    redo: options.Redo = "missing",
    db: options.Db = options.DEFAULT_DB,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    device: options.Device = "auto",
    jobs: options.Jobs = None,
    threads: options.Threads = None,
    stack: options.Stack = True,
    gpus: options.Gpus = None,
    slots_per_gpu: options.SlotsPerGpu = 1,
    time_limit: options.TimeLimit = None,
    memory_limit: options.MemoryLimit = None,
    checkpoint_every: options.CheckpointEvery = keeping.DEFAULT,
    grace: options.Grace = keeping.GRACE_S,
    engine: options.Engine = "local",
    machine: options.Machine = None,
    engine_option: options.EngineOptions = None,
    plugin: options.Plugins = None,
) -> None:
    """Run a suite: everything that is not in the database yet, then the tables.

    Interrupt it whenever you like; the same command goes on where it stopped.
    The exit status is not 0 if anything failed or nothing could run.

    [dim]Examples:[/dim]
      python -m bench run digits
      python -m bench run cifar100 --budget smoke --jobs 2 --db mine.db
      python -m bench run digits --only method=ce,elr --redo failed
      python -m bench run cifar100 --engine slurm --machine cluster.yaml
    """
    from bench import plan as planning
    from bench import runner
    from bench.cli.console import terminal
    from bench.engines import heartbeat
    from bench.engines.engine import find
    from bench.engines.protocol import Workplace
    from bench.examples import missing_examples
    from bench.published import importing
    from bench.registry import discover
    from bench.settings import Settings
    from bench.spec import load_suite
    from bench.store import audit
    from bench.store.database import open_writer
    from bench.store.plans import record_plan

    if redo not in runner.REDO:
        raise BenchError(f"--redo has no {redo!r}{nearest(redo, runner.REDO)}")
    console = terminal()
    names = tuple(gpus.split(",")) if gpus else ()
    settings = Settings(*(db, data_dir, device, jobs, threads, names, slots_per_gpu), stack=stack)
    keeping.every(checkpoint_every)
    registry = discover(plugin or ())
    chosen = load_suite(suite, budget, registry)
    asked_of = running.engine_options(engine, machine, engine_option, chosen.suite)
    how = running.How(
        *(settings, time_limit, engine, asked_of),
        memory_limit_gib=memory_limit,
        checkpoint_every=checkpoint_every,
        grace_s=grace,
    )
    filters = options.parse_only(only)
    bring_data(chosen, registry, data_dir, console)
    made = planning.make_plan(chosen, registry, data_dir)
    wanted = list(planning.only(made, filters))
    workplace = Workplace.beside(db)
    with open_writer(db) as database:
        heartbeat.clear(workplace.progress)
        importing.fill(database)
        record_plan(database, made, registry)
        known = audit.with_examples(database.conn)
        for sha, examples in missing_examples(made, known, registry, data_dir):
            audit.write_examples(database, sha, examples)
        recovered = runner.drain(database, workplace)
        if recovered:
            console.print(f"{recovered} results of an interrupted run were recovered.")
        todo = runner.sort_out(database.conn, wanted, redo)
        runner.tidy(workplace, todo.done)
        _announce(made, wanted, todo, console)
        failures = 0
        if todo.run:
            if find(engine).is_here:
                _say_how_long(suite, database, made, todo, registry, settings, console)
            asked = (suite, made.suite.budget, made.board)
            failures = running.execute(database, todo, asked, registry, how, workplace, console)
        show_tables(database, made, console)
    _next_step(made, todo, failures, db, console)
    nothing = not wanted or not (todo.done or todo.run)
    if failures or todo.failed or nothing:
        raise typer.Exit(1)


def bring_data(suite: Suite, registry: Registry, data_dir: Path, console: Console) -> None:
    """Prepare the data sets that are absent; downloads them where there is a network."""
    from bench.data.arrays import exists
    from bench.data.prepared import build, read_info

    for item in suite.datasets:
        name = registry.bind("dataset", item.name, item.params)
        if exists(name, data_dir):
            read_info(name, data_dir, registry)
        else:
            console.print(f"Preparing {name} in {data_dir} …")
            build(name, data_dir, registry)


def _title(made: Plan) -> str:
    budget = f", budget {made.suite.budget}" if made.suite.budget else ""
    return f"{made.suite.suite}{budget}, on {', '.join(info.label for info in made.data)}"


def _announce(made: Plan, wanted: list[TrainingSpec], todo: Todo, console: Console) -> None:
    console.print(_title(made), style="bold", markup=False)
    for reason in dict.fromkeys(f"{c.dataset}, {c.noise}: {c.reason}" for c in made.excluded):
        console.print(f"left out: {reason}", style="dim", markup=False)
    if not made.trainings:
        console.print("No cell of this suite can run here; the reasons are above.", style="red")
    elif not wanted:
        console.print("Nothing matches --only.", style="red")
    elif not todo.run and not todo.failed:
        console.print(f"All {len(wanted)} trainings are done; nothing to run.")
    else:
        noun = "training" if len(wanted) == 1 else "trainings"
        console.print(
            f"{len(wanted)} {noun}: {len(todo.done)} done, {len(todo.run)} to run"
            + (f", {len(todo.failed)} failed before (--redo failed)" if todo.failed else "")
        )


def _say_how_long(
    name: str,
    database: Database,
    made: Plan,
    todo: Todo,
    registry: Registry,
    settings: Settings,
    console: Console,
) -> None:
    from bench.estimate import describe_estimate, duration, estimate
    from bench.fitting import fitting_budget

    guess = estimate(database.conn, todo.run, made, registry, settings)
    console.print(describe_estimate(guess), highlight=False)
    if guess.wall_s < LONG_S or settings.resolved_device() != "cpu":
        return
    fit = fitting_budget(name, made.suite, guess.wall_s, LONG_S, database.conn, registry, settings)
    advice = "That is long for a CPU."
    if fit is not None:
        budget, seconds = fit
        verb = "fits" if seconds <= LONG_S else "is the shortest"
        time = f"about {duration(seconds)}" if seconds else "done already"
        advice += f" Budget {budget!r} {verb} ({time}): make bench SUITE={name} BUDGET={budget}"
    console.print(advice, style="yellow", highlight=False)


def show_tables(database: Database, made: Plan, console: Console) -> None:
    """The tables of a board, where it has results."""
    from bench.report.content import read_results
    from bench.report.suite import suite_tables
    from bench.report.terminal import to_terminal
    from bench.store import reader

    results = read_results(database.conn, made.board)
    if results["test_accuracy"].notna().any():
        methods = reader.methods(database.conn, made.board)
        ranked = [refiner.label for refiner in made.trainings[0].refiners][:2]
        to_terminal(suite_tables(results, methods, _title(made), ranked), console)


def _next_step(made: Plan, todo: Todo, failures: int, db: Path, console: Console) -> None:
    if failures:
        console.print(
            f"{failures} trainings failed; their rows say why. Again: add --redo failed. "
            f"One of them: python -m bench show <key> --db {db}",
            style="red",
            highlight=False,
        )
    elif todo.failed:
        console.print(
            f"{len(todo.failed)} trainings failed before and were left alone; add --redo failed.",
            style="red",
        )
    console.print(f"Browse: make dashboard (reads {db})", style="dim", highlight=False)
