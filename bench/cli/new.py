"""``new``: write a plugin file that already runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options


def new(
    kind: Annotated[
        str, typer.Argument(help="method, noise, dataset, refiner or backbone.", metavar="KIND")
    ],
    name: Annotated[str, typer.Argument(help="For example my_loss; suites will say my-loss.")],
    level: Annotated[
        str | None,
        typer.Option(
            "--level",
            help="Of a method: loss (a function), state (numbers for each sample) or regime "
            "(epochs of its own). Default: loss.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where to write; default is the folder that is searched."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file of a plugin with this name.")
    ] = False,
    plugin: options.Plugins = None,
) -> None:
    """Write a new plugin file: short, documented, and passing its checks as it stands.

    [dim]Examples:[/dim]
      python -m bench new method my_loss
      python -m bench new method my_method --level state
      python -m bench new noise my_noise --folder ~/plugins
    """
    from rich.text import Text

    from bench.cli.console import terminal
    from bench.registry import discover
    from bench.scaffold import commands, identifier_of, plugin_name, shown, write_plugin

    given = list(plugin or ())
    earlier = folder / f"{identifier_of(name)}.py" if folder else None
    if earlier is not None and earlier.is_file():
        given.append(earlier)
    path = write_plugin(kind, name, discover(given), level=level, folder=folder, force=force)
    info = discover([*(plugin or ()), path]).get(kind, plugin_name(identifier_of(name)))
    console = terminal()
    heading = f"{shown(path)} holds the {kind} {info.name!r}. Next:"
    console.print(Text(heading, style="bold"), soft_wrap=True)  # a path in one piece
    for command in commands(info):
        console.print(Text(f"  {command}"), soft_wrap=True)
