"""The command line: one small file a command; nothing heavy is imported before it is needed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module

import typer
from rich.console import Console

from bench.errors import BenchError

COMMANDS = {
    "run": "run",
    "plan": "plan",
    "tune": "tune",
    "report": "report",
    "analyse": "analyse",
    "show": "show",
    "list": "listing.list_plugins",
    "new": "new",
    "check": "check",
    "schema": "schema",
    "dashboard": "dashboard",
    "data": "data.app",
    "db": "db.app",
    "published": "published.app",
}
"""Name -> module here and what of it is the command (as the module is called, where nothing else
is said), in the order of ``--help``. One that is named is loaded alone: a command and its options
take typer 3 ms and more to understand."""


def application(arguments: Sequence[str]) -> typer.Typer:
    """The command line for some arguments: the command that they name, else every command."""
    app = typer.Typer(
        name="lipbench",
        help="Which method should learn from wrong labels, and does LIP make it better?",
        epilog="Start with: python -m bench run digits",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        callback=common,
    )
    asked = next((word for word in arguments if not word.startswith("-")), "")
    for name in [asked] if asked in COMMANDS else COMMANDS:
        module, _, attribute = COMMANDS[name].partition(".")
        found = getattr(import_module(f"bench.cli.{module}"), attribute or module)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def common(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what happens, to stderr."),
) -> None:
    """Options before the command."""
    level = logging.DEBUG if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", force=True)


def main() -> int:
    """Run a command; an error that a user can mend is one message and exit status 2."""
    try:
        application(sys.argv[1:])()
    except BenchError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False)
        return 2
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
