"""``run``: execute what a suite still misses, then show the leaderboard and LIP's gains."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options
from bench.errors import BenchError, nearest

if TYPE_CHECKING:
    from rich.console import Console
    from sqlite_utils import Database

    from bench.engines.protocol import Workplace
    from bench.plan import Plan
    from bench.records import Outcome, TrainingSpec
    from bench.registry import Registry
    from bench.runner import Todo
    from bench.settings import Settings
    from bench.spec import Suite

LONG_S = 20 * 60
"""Beyond this, a plan on a CPU says which smaller budget would fit."""


def run(
    suite: options.SuiteName,
    budget: options.BudgetName = None,
    only: options.Only = None,
    redo: Annotated[
        str,
        typer.Option("--redo", help="missing: what was never tried; failed: that too; or all."),
    ] = "missing",
    db: options.Db = options.DEFAULT_DB,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    device: options.Device = "auto",
    jobs: options.Jobs = None,
    threads: options.Threads = None,
    time_limit: Annotated[
        float | None,
        typer.Option("--time-limit", min=1, help="Seconds after which a training is ended."),
    ] = None,
    plugin: options.Plugins = None,
) -> None:
    """Run a suite: everything that is not in the database yet, then the tables.

    Interrupt it whenever you like; the same command goes on where it stopped.
    The exit status is not 0 if anything failed or nothing could run.

    [dim]Examples:[/dim]
      python -m bench run digits
      python -m bench run cifar100 --budget smoke --jobs 2 --db mine.db
      python -m bench run digits --only method=ce,elr --redo failed
    """
    from bench import plan as planning
    from bench import runner
    from bench.cli.console import terminal
    from bench.engines import heartbeat
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
    settings = Settings(db, data_dir, device, jobs, threads)
    registry = discover(plugin or ())
    chosen = load_suite(suite, budget, registry)
    filters = options.parse_only(only)
    _bring_data(chosen, registry, data_dir, console)
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
        _announce(made, wanted, todo, console)
        failures = 0
        if todo.run:
            _say_how_long(suite, database, made, todo, registry, settings, console)
            asked = (suite, made.suite.budget, made.board)
            failures = _execute(
                database, todo, asked, registry, settings, workplace, time_limit, console
            )
        _show_tables(database, made, console)
    _next_step(made, todo, failures, db, console)
    nothing = not wanted or not (todo.done or todo.run)
    if failures or todo.failed or nothing:
        raise typer.Exit(1)


def _bring_data(suite: Suite, registry: Registry, data_dir: Path, console: Console) -> None:
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


def _execute(
    database: Database,
    todo: Todo,
    asked: tuple[str, str, str],
    registry: Registry,
    settings: Settings,
    workplace: Workplace,
    time_limit: float | None,
    console: Console,
) -> int:
    from bench import runner
    from bench.cli.progress import RunProgress
    from bench.engines.heartbeat import Pulse
    from bench.engines.local import LocalEngine, LocalSettings

    device = settings.resolved_device()
    jobs = settings.resolved_jobs(device, len(todo.run))
    engine = LocalEngine(
        LocalSettings(
            data_dir=settings.data_dir,
            workplace=workplace,
            plugins=registry.extra_files,
            jobs=jobs,
            device=device,
            threads=settings.resolved_threads(jobs),
            time_limit_s=time_limit,
        )
    )
    signal.signal(signal.SIGTERM, _interrupt)
    bar = RunProgress(todo.run)
    pulse = Pulse(workplace.progress, asked, todo.run, jobs)

    def on_epoch(training: TrainingSpec, epoch: int) -> None:
        bar.epoch(training, epoch)
        pulse.epoch(training, epoch)

    def on_finished(training: TrainingSpec, outcome: Outcome) -> None:
        bar.finished(training, outcome)
        pulse.finished(training, outcome)

    try:
        summary = runner.run(database, engine, todo.run, on_epoch=on_epoch, on_finished=on_finished)
    except KeyboardInterrupt:
        bar.close()
        console.print(
            "Interrupted. What finished is in the database; the same command goes on from here."
        )
        raise typer.Exit(130) from None
    finally:
        pulse.close()
        bar.close()
    return len(summary.failures)


def _interrupt(number: int, frame: object) -> None:
    """A termination request ends a run as Ctrl-C does."""
    raise KeyboardInterrupt


def _show_tables(database: Database, made: Plan, console: Console) -> None:
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
