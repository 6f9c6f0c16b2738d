"""Running what a plan still misses, from the command line: engine, progress bar and heartbeat."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli import options
from bench.training import keeping

if TYPE_CHECKING:
    from rich.console import Console
    from sqlite_utils import Database

    from bench.engines.protocol import Workplace
    from bench.records import Outcome
    from bench.registry import Registry
    from bench.runner import Todo
    from bench.settings import Settings
    from bench.training_spec import TrainingSpec


@dataclass(frozen=True)
class How:
    """How trainings run, as it was asked for; no part of what they are.

    Attributes:
        settings: device, jobs and threads.
        time_limit_s: seconds after which a training is ended.
        engine: one of ``bench.engines.engine.ENGINES``.
        engine_options: of that engine.
        memory_limit_gib: main memory that a training may occupy.
        checkpoint_every: ``10min``, ``5epochs`` or ``off``.
        grace_s: seconds that a training has to end its epoch and be saved.
    """

    settings: Settings
    time_limit_s: float | None = None
    engine: str = "local"
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    memory_limit_gib: float | None = None
    checkpoint_every: str = keeping.DEFAULT
    grace_s: float = keeping.GRACE_S


def engine_options(
    engine: str, machine: Path | None, given: list[str] | None, suite: str
) -> dict[str, Any]:
    """The options of an engine; checks that it can be used before anything is planned.

    Raises:
        BenchError: there is no such engine, its package is absent, or an option is unreadable.
    """
    from bench.engines.engine import find
    from bench.engines.machine import engine_options as read

    find(engine)
    return read(machine, engine, suite, options.settings(given))


def execute(
    database: Database,
    todo: Todo,
    asked: tuple[str, str, str],
    registry: Registry,
    how: How,
    workplace: Workplace,
    console: Console,
) -> int:
    """Run and commit; returns how many trainings failed.

    Args:
        database: of the writer.
        todo: what is to run.
        asked: suite as it was typed, budget and board, for whoever watches.
        registry: the plugins; workers are given its extra files.
        how: engine and machine facts.
        workplace: logs and the outbox.
        console: for what is worth saying.
    """
    from bench import runner
    from bench.cli.progress import RunProgress
    from bench.engines.engine import Order, make_engine
    from bench.engines.heartbeat import Pulse
    from bench.engines.local import LocalSettings

    memory = how.memory_limit_gib
    worker = LocalSettings(
        data_dir=how.settings.data_dir,
        workplace=workplace,
        plugins=registry.extra_files,
        jobs=1,
        device="cpu",
        threads=1,
        time_limit_s=how.time_limit_s,
        gpus=how.settings.gpus,
        memory_limit_bytes=None if memory is None else int(memory * 2**30),
        checkpoint_every=how.checkpoint_every,
        grace_s=how.grace_s,
    )
    made = make_engine(how.engine, Order(worker, how.settings, len(todo.run), how.engine_options))
    for note in made.notes:
        console.print(note, style="yellow", highlight=False)
    signal.signal(signal.SIGTERM, _interrupt)
    bar = RunProgress(todo.run)
    pulse = Pulse(workplace.progress, asked, todo.run, made.slots)

    def on_epoch(training: TrainingSpec, epoch: int) -> None:
        bar.epoch(training, epoch)
        pulse.epoch(training, epoch)

    def on_finished(training: TrainingSpec, outcome: Outcome) -> None:
        bar.finished(training, outcome)
        pulse.finished(training, outcome)

    try:
        summary = runner.run(
            *(database, made.engine, todo.run),
            on_epoch=on_epoch,
            on_finished=on_finished,
            workplace=workplace,
        )
    except KeyboardInterrupt:
        bar.close()
        saved = len(keeping.kept(workplace.checkpoints))
        console.print(
            "Interrupted. What finished is in the database; the same command goes on from here"
            + (f", and from {saved} checkpoint{'s' * (saved > 1)}." if saved else "."),
            highlight=False,
        )
        raise typer.Exit(130) from None
    finally:
        pulse.close()
        bar.close()
    if summary.interrupted:
        console.print(
            f"{summary.interrupted} trainings were asked to end before they were done; the same "
            f"command goes on with them.",
            style="yellow",
            highlight=False,
        )
        raise typer.Exit(keeping.INTERRUPTED)
    return len(summary.failures)


def _interrupt(number: int, frame: object) -> None:
    """A termination request ends a run as Ctrl-C does."""
    raise KeyboardInterrupt
