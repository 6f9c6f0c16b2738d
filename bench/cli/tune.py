"""``tune``: an equal budget of random search for every method, then the winners again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options, running, tune_tables
from bench.errors import BenchError, nearest
from bench.training import keeping

if TYPE_CHECKING:
    import sqlite3

    from rich.console import Console
    from sqlite_utils import Database

    from bench.engines.protocol import Workplace
    from bench.plan import Plan
    from bench.registry import Registry
    from bench.spec import Suite
    from bench.training_spec import TrainingSpec
    from bench.tuning.asked import Searched, Tuning


def tune(
    suite: options.SuiteName,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            min=1,
            help="Configurations a method and cell, its own values included. Default: as the suite "
            "says, else as this database was tuned before, else 16.",
        ),
    ] = None,
    trial_seeds: Annotated[
        int | None,
        typer.Option(
            "--trial-seeds", min=1, help="Trainings that judge a configuration; default 1."
        ),
    ] = None,
    lr: Annotated[
        str | None,
        typer.Option(
            "--lr",
            help="Search the learning rate of every method, too: LOW:HIGH, log-uniform. Default: "
            "as the suite says or this database was tuned before, else not.",
        ),
    ] = None,
    weight_decay: Annotated[
        str | None,
        typer.Option("--weight-decay", help="The same of the weight decay: LOW:HIGH."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show spaces, trainings and time; run nothing.")
    ] = False,
    budget: options.BudgetName = None,
    only: options.Only = None,
    redo: options.Redo = "missing",
    db: options.Db = options.DEFAULT_DB,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    device: options.Device = "auto",
    jobs: options.Jobs = None,
    threads: options.Threads = None,
    gpus: options.Gpus = None,
    slots_per_gpu: options.SlotsPerGpu = 1,
    stack: options.Stack = True,
    time_limit: options.TimeLimit = None,
    memory_limit: options.MemoryLimit = None,
    checkpoint_every: options.CheckpointEvery = keeping.DEFAULT,
    grace: options.Grace = keeping.GRACE_S,
    engine: options.Engine = "local",
    machine: options.Machine = None,
    engine_option: options.EngineOptions = None,
    plugin: options.Plugins = None,
) -> None:
    """Tune every method of a suite with the same budget, and rank the winners.

    Each cell (data set, noise, method) gets the same number of trials. Trial 0 has the suite's own
    values, the others are drawn from the method's search space: its annotated parameters, or what
    its file declares in search_space. A trial that fails is spent. The winner is the one with the
    best accuracy on held-out noisy labels in the last epoch; true labels and test samples select
    nothing. It runs again with the suite's seeds, which no trial had, as a board of its own:
    SUITE-tuned.

    Trials are kept like all trainings: interrupt it whenever you like, and more trials later run
    only what is new.

    [dim]Examples:[/dim]
      python -m bench tune digits --budget smoke --trials 4 --dry-run
      python -m bench tune digits --trials 16 --lr 0.005:0.2
      python -m bench report digits-tuned
    """
    from bench import runner
    from bench.cli.console import terminal
    from bench.cli.run import bring_data, show_tables
    from bench.engines import heartbeat
    from bench.engines.protocol import Workplace
    from bench.registry import discover
    from bench.settings import Settings
    from bench.spec import load_suite
    from bench.store.database import open_writer, peek
    from bench.store.plans import record_plan, record_trainings
    from bench.tuning.board import make_tuned
    from bench.tuning.choose import choose
    from bench.tuning.trials import make_trials

    if redo not in runner.REDO:
        raise BenchError(f"--redo has no {redo!r}{nearest(redo, runner.REDO)}")
    console = terminal()
    registry = discover(plugin or ())
    chosen = load_suite(suite, budget, registry)
    keeping.every(checkpoint_every)
    names = tuple(gpus.split(",")) if gpus else ()
    settings = Settings(*(db, data_dir, device, jobs, threads, names, slots_per_gpu), stack=stack)
    how = running.How(
        *(settings, time_limit, engine),
        running.engine_options(engine, machine, engine_option, chosen.suite),
        memory_limit_gib=memory_limit,
        checkpoint_every=checkpoint_every,
        grace_s=grace,
    )
    bring_data(chosen, registry, data_dir, console)
    filters = options.parse_only(only)
    with peek(db) as connection:
        asked = _tuning(chosen, connection, trials, trial_seeds, lr, weight_decay)
        tried = make_trials(chosen, asked, registry, data_dir)
        if dry_run:
            tune_tables.show_plan(tried, filters, chosen, connection, registry, how, console)
            return
    workplace = Workplace.beside(db)
    with open_writer(db) as database:
        heartbeat.clear(workplace.progress)
        wanted = tune_tables.matching(tried, filters)
        record_trainings(database, tried.plan, wanted, registry)
        recovered = runner.drain(database, workplace)
        if recovered:
            console.print(f"{recovered} results of an interrupted run were recovered.")
        name = (suite, chosen.budget, "")
        failed = _run(
            "Trials", database, wanted, tried.plan, redo, name, registry, how, workplace, console
        )
        if failed:
            console.print(f"{failed} trials failed; they are spent.", style="yellow")
        choice = choose(database.conn, tried.cells)
        made = make_tuned(chosen, tried, choice, registry, data_dir)
        record_plan(database, made, registry)
        tune_tables.show_winners(tried, choice, console)
        failures = 0
        if made.trainings:
            name = (suite, chosen.budget, made.board)
            failures = _run(
                "Winners",
                *(database, list(made.trainings), made, redo, name, registry, how),
                *(workplace, console),
            )
            show_tables(database, made, console)
    console.print(
        f"Board: {made.suite.suite}. Again: python -m bench report {made.suite.suite} --db {db}",
        style="dim",
        highlight=False,
    )
    if failures or not made.trainings:
        raise typer.Exit(1)


def _tuning(
    suite: Suite,
    connection: sqlite3.Connection,
    trials: int | None,
    trial_seeds: int | None,
    lr: str | None,
    weight_decay: str | None,
) -> Tuning:
    """What was typed, over the suite's section, over what this database was asked before."""
    from bench.tuning.asked import Tuning
    from bench.tuning.board import asked_before

    before = suite.tuning or asked_before(connection, suite) or Tuning()
    typed = {
        "trials": trials,
        "trial_seeds": trial_seeds,
        "lr": _range("--lr", lr),
        "weight_decay": _range("--weight-decay", weight_decay),
    }
    return before.model_copy(update={k: v for k, v in typed.items() if v is not None})


def _range(option: str, text: str | None) -> Searched | None:
    from pydantic import ValidationError

    from bench.tuning.asked import Searched

    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        return Searched(low=float(low), high=float(high))
    except (ValueError, ValidationError):
        raise BenchError(
            f"{option} takes LOW:HIGH with 0 < LOW < HIGH, for example 0.005:0.2; got {text!r}"
        ) from None


def _run(
    what: str,
    database: Database,
    trainings: list[TrainingSpec],
    made: Plan,
    redo: str,
    asked: tuple[str, str, str],
    registry: Registry,
    how: running.How,
    workplace: Workplace,
    console: Console,
) -> int:
    """Run what is missing of some trainings; returns how many failed."""
    from bench import runner
    from bench.engines.engine import find
    from bench.estimate import describe_estimate, estimate

    todo = runner.sort_out(database.conn, trainings, redo)
    failed = f", {len(todo.failed)} failed before (--redo failed)" if todo.failed else ""
    counts = f"{len(trainings)} trainings, {len(todo.done)} done, {len(todo.run)} to run{failed}"
    console.print(f"{what}: {counts}.")
    runner.tidy(workplace, todo.done)
    if not todo.run:
        return 0
    if find(how.engine).is_here:
        guess = estimate(database.conn, todo.run, made, registry, how.settings)
        console.print(describe_estimate(guess), highlight=False)
    return running.execute(database, todo, asked, registry, how, workplace, console)
