"""The command line: one small file a command; nothing heavy is imported before it is needed."""

from __future__ import annotations

import logging

import typer
from rich.console import Console

from bench.cli import (
    analyse,
    check,
    dashboard,
    data,
    db,
    listing,
    new,
    plan,
    published,
    report,
    run,
    schema,
    show,
    tune,
)
from bench.errors import BenchError

app = typer.Typer(
    name="lipbench",
    help="Which method should learn from wrong labels, and does LIP make it better?",
    epilog="Start with: python -m bench run digits",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(run.run)
app.command()(plan.plan)
app.command()(tune.tune)
app.command()(report.report)
app.command()(analyse.analyse)
app.command()(show.show)
app.command("list")(listing.list_plugins)
app.command()(new.new)
app.command()(check.check)
app.command()(schema.schema)
app.command()(dashboard.dashboard)
app.add_typer(data.app, name="data")
app.add_typer(db.app, name="db")
app.add_typer(published.app, name="published")


@app.callback()
def common(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what happens, to stderr."),
) -> None:
    """Options before the command."""
    level = logging.DEBUG if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", force=True)


def main() -> int:
    """Run a command; an error that a user can mend is one message and exit status 2."""
    try:
        app()
    except BenchError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False)
        return 2
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
