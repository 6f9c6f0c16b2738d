"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import BenchError, nearest
from bench.settings import DEVICES

FILTERS = ("dataset", "noise", "method", "seed")

SuiteName = Annotated[
    str, typer.Argument(help="A shipped suite (list suites shows all) or the path of a YAML file.")
]
Db = Annotated[Path, typer.Option("--db", envvar="LIPBENCH_DB", help="The results database.")]
DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="LIPBENCH_DATA_DIR", help="Where data sets are kept.")
]
Device = Annotated[
    str,
    typer.Option("--device", envvar="LIPBENCH_DEVICE", help=f"One of {', '.join(DEVICES)}."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        envvar="LIPBENCH_JOBS",
        min=1,
        help="Trainings at a time; default one a core, or one an accelerator.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="CPU threads a training; default cores / jobs."),
]
BudgetName = Annotated[
    str | None,
    typer.Option("--budget", help="smoke, short, paper, …; default is the suite's own."),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        help="Restrict to AXIS=NAME[,NAME]: method=ce,elr or noise=symmetric; may be repeated.",
    ),
]
Redo = Annotated[
    str, typer.Option("--redo", help="missing: what was never tried; failed: that too; or all.")
]
Stack = Annotated[
    bool,
    typer.Option(
        "--stack/--no-stack",
        envvar="LIPBENCH_STACK",
        help="Train the seeds of a cell as one where that gives the same bits.",
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option("--time-limit", min=1, help="Seconds after which a training is ended."),
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(
        "--memory-limit",
        min=0.1,
        help="GiB of main memory that a training may occupy; one that needs more is ended.",
    ),
]
Gpus = Annotated[
    str | None,
    typer.Option("--gpus", help="GPUs to use, such as 0,1; default all that are visible."),
]
SlotsPerGpu = Annotated[
    int, typer.Option("--slots-per-gpu", min=1, help="Trainings at a time on each GPU.")
]
CheckpointEvery = Annotated[
    str,
    typer.Option(
        "--checkpoint-every",
        envvar="LIPBENCH_CHECKPOINT_EVERY",
        help="How often a training is saved so that it can go on: 10min, 5epochs, or off.",
    ),
]
Grace = Annotated[
    float,
    typer.Option(
        "--grace",
        min=0,
        help="Seconds that an interrupted training may take to end its epoch and be saved.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine", help="Where trainings run: local, ray or slurm; results are the same."
    ),
]
Machine = Annotated[
    Path | None,
    typer.Option(
        "--machine",
        envvar="LIPBENCH_MACHINE",
        help="A YAML file of engine options, perhaps by suite: {slurm: {partition: gpu}}.",
    ),
]
EngineOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--engine-option",
        "-E",
        help="NAME=VALUE for the engine, such as partition=gpu; may be repeated.",
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        help="A plugin file beside the shipped ones; may be repeated. "
        "LIPBENCH_PLUGINS names files too, separated like PATH.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_DB = Path("leaderboard.db")
DEFAULT_DATA_DIR = Path("data")


def parse_only(only: list[str] | None) -> dict[str, set[str]]:
    """``["method=ce,elr"]`` as ``{"method": {"ce", "elr"}}``. Raises ``BenchError``."""
    filters: dict[str, set[str]] = {}
    for text in only or []:
        axis, separator, names = text.partition("=")
        if not separator or not names:
            raise BenchError(f"--only takes AXIS=NAME, for example method=ce; got {text!r}")
        if axis not in FILTERS:
            raise BenchError(f"--only has no axis {axis!r}{nearest(axis, FILTERS)}")
        filters.setdefault(axis, set()).update(names.split(","))
    return filters


def settings(pairs: list[str] | None) -> dict[str, Any]:
    """``["rate=0.4", "map={a: b}"]`` as parameters; values are YAML. Raises ``BenchError``."""
    import yaml

    found: dict[str, Any] = {}
    for text in pairs or []:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise BenchError(
                f"parameters are given as NAME=VALUE, for example rate=0.4; got {text!r}"
            )
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise BenchError(f"{text!r}: the value is no YAML ({error})") from None
    return found
