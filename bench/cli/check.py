"""``check``: the conformance kit on one plugin."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options

if TYPE_CHECKING:
    from rich.table import Table

    from bench.conformance.result import Check
    from bench.plugin_info import PluginInfo
    from bench.registry import Registry


def check(
    target: Annotated[
        str, typer.Argument(help="A plugin's file, or its name.", metavar="FILE|NAME")
    ],
    as_json: options.AsJson = False,
    plugin: options.Plugins = None,
) -> None:
    """Check that a plugin keeps its promises; every failure says where and what to change.

    Nothing is downloaded and no GPU is needed. The exit status is 1 if a check failed.

    [dim]Examples:[/dim]
      python -m bench check methods/elr.py
      python -m bench check lip
    """
    from rich.text import Text

    from bench.cli.console import terminal
    from bench.conformance import check_plugin
    from bench.scaffold import commands

    registry, infos = find(target, list(plugin or ()))
    verdicts = [(info, check_plugin(registry, info)) for info in infos]
    failed = [check for _, checks in verdicts for check in checks if not check.ok]
    if as_json:
        rows = [
            {"kind": info.kind, "plugin": info.name, **asdict(check)}
            for info, checks in verdicts
            for check in checks
        ]
        typer.echo(json.dumps(rows, indent=1))
    else:
        console = terminal()
        for info, checks in verdicts:
            console.print(table(info, checks))
        if failed:
            again = commands(infos[0])[0] if Path(target).is_file() else _by_name(target, plugin)
            console.print(Text(f"{len(failed)} failed. Mend it, then: {again}", style="red"))
        else:
            console.print(Text(f"All passed. Next: {commands(infos[0])[-1]}"), soft_wrap=True)
    if failed:
        raise typer.Exit(code=1)


def find(target: str, extra: list[Path]) -> tuple[Registry, list[PluginInfo]]:
    """The plugins that a file defines, or those of a name, whatever their kind.

    Raises:
        PluginError: there is no such file or name, or the file defines no plugin.
    """
    from bench.errors import PluginError, nearest
    from bench.registry import KINDS, discover

    path = Path(target)
    is_file = path.suffix == ".py" or path.is_file()
    registry = discover([*extra, path] if is_file else extra)
    everything = [info for kind in KINDS for info in registry.all(kind)]
    if is_file:
        found = [info for info in everything if Path(info.file) == path.resolve()]
        if not found:
            raise PluginError(
                f"{target} defines no plugin; a plugin is a subclass of Method, Dataset, Noise, "
                f"Refiner or Backbone with a name, or a function under @loss"
            )
        return registry, found
    found = [info for info in everything if info.name == target]
    if not found:
        names = [info.name for info in everything]
        raise PluginError(f"no plugin is called {target!r}{nearest(target, names)}")
    return registry, found


def table(info: PluginInfo, checks: list[Check]) -> Table:
    """One row a check: mark, name, and what was found."""
    from rich.table import Table
    from rich.text import Text

    rows = Table(title=f"{info.kind} {info.name}  {info.origin}", title_justify="left")
    for column in ("", "check", "found"):
        rows.add_column(column)
    for check in checks:
        mark, style = (
            ("–", "dim") if check.skipped else ("✓", "green") if check.ok else ("✗", "red")
        )
        found = Text(check.skipped or check.detail, style="" if check.ok else "red")
        rows.add_row(Text(mark, style=style), check.name, found)
    return rows


def _by_name(name: str, plugin: list[Path] | None) -> str:
    return " ".join([f"python -m bench check {name}", *(f"--plugin {p}" for p in plugin or ())])
