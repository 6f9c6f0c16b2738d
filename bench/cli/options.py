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
