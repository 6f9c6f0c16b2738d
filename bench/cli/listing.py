"""``list``: what there is to choose from."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options

if TYPE_CHECKING:
    from bench.plugin_info import PluginInfo


class Listed(StrEnum):
    """What can be listed."""

    methods = "methods"
    datasets = "datasets"
    noises = "noises"
    refiners = "refiners"
    backbones = "backbones"
    suites = "suites"


def list_plugins(
    what: Annotated[Listed, typer.Argument(help="The kind to list.")],
    as_json: options.AsJson = False,
    plugin: options.Plugins = None,
) -> None:
    """List methods, data sets, noises, refiners, backbones or suites, with their papers.

    A plugin that cannot be loaded is listed with its error.

    [dim]Example:[/dim] python -m bench list methods --json
    """
    from bench.cli.console import terminal
    from bench.registry import discover

    rows = (
        _suites()
        if what is Listed.suites
        else [
            _row(info, with_schema=as_json)
            for info in discover(plugin or ()).all(what.value.removesuffix("s"))
        ]
    )
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    _print(rows, terminal())


def _row(info: PluginInfo, with_schema: bool) -> dict[str, Any]:
    """A plugin as JSON; schemas of its parameters take pydantic, which is slow to load."""
    return {
        "name": info.name,
        "summary": info.summary,
        "paper": info.paper,
        "parameters": {
            name: p.schema() if with_schema else {"default": p.default}
            for name, p in info.parameters.items()
        },
        **info.declared,
        "file": info.origin,
        "error": info.error,
    }


def _suites() -> list[dict[str, Any]]:
    from bench import yaml_marks
    from bench.suite_files import SUITES, suite_names

    rows = []
    for name in suite_names():
        data = yaml_marks.load(SUITES / f"{name}.yaml").data
        budgets = ", ".join(data.get("budgets", {}))
        rows.append(
            {
                "name": name,
                "summary": data.get("title", ""),
                "paper": f"budgets: {budgets}",
                "error": "",
            }
        )
    return rows


def _print(rows: list[dict[str, Any]], console: Any) -> None:
    from rich.text import Text

    lines = []
    for row in rows:
        badges = [*row.get("knows", ()), *row.get("uses", ())]
        told = f"  [{', '.join(badges)}]" if badges else ""
        lines.append(Text.assemble((row["name"], "bold"), (told, "yellow")))
        if row["error"]:
            lines.append(Text(f"  broken: {row['error']}", style="red"))
            continue
        for line in (row["summary"], row["paper"]):
            if line:
                lines.append(Text(f"  {line}", style="" if line == row["summary"] else "dim"))
        if row.get("parameters"):
            defaults = ", ".join(f"{k}={v['default']!r}" for k, v in row["parameters"].items())
            lines.append(Text(f"  parameters: {defaults}", style="dim"))
    console.print(Text("\n").join(lines))  # one call: each takes a while of its own
