"""``show``: everything the database knows of one training."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options

if TYPE_CHECKING:
    from rich.console import Console

SELECTION = {
    "selected": "selected_share",
    "precision": "selection_precision",
    "recall": "selection_recall",
}
"""Columns of methods that select samples: title and name in the database."""


def show(
    run: Annotated[
        str, typer.Argument(help="A training's key, or enough of its first digits to be unique.")
    ],
    db: options.Db = options.DEFAULT_DB,
    as_json: options.AsJson = False,
) -> None:
    """Show one training: specification, attempts, curve, evaluations, and how to repeat it.

    Keys are listed in the dashboard and by: python -m bench report SUITE --format csv

    [dim]Example:[/dim] python -m bench show 3f2a91
    """
    from bench.cli.console import terminal
    from bench.store.database import open_reader
    from bench.store.details import training_details

    with closing(open_reader(db)) as connection:
        details = training_details(connection, run)
    if as_json:
        typer.echo(json.dumps(details, indent=1))
        return
    console = terminal()
    _print(details, console)
    if details["conflicts"]:
        console.print(
            f"Another machine had other results for this training; these are ours. Both are in: "
            f"python -m bench db conflicts --db {db}",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def _print(details: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    spec = details["spec"]
    console.print(f"[bold]training[/bold] {details['training_key']}", highlight=False)
    rate = details["realised_rate"]
    rows = {
        "method": f"{spec['method_label']}  {json.dumps(spec['method_params'])}",
        "data": f"{spec['dataset']}  fingerprint {spec['fingerprint'][:12]}",
        "noise": f"{spec['noise']['label']}  realised "
        f"{'unknown' if rate is None else f'{rate:.4f}'}  "
        f"labels {spec['noise']['artefact_sha'][:12]}",
        "seed": str(spec["seed"]),
        "protocol": json.dumps(spec["protocol"]),
        "repeat": details["command"],
    }
    for name, value in rows.items():
        console.print(f"  {name:<9}{value}", markup=False, highlight=False, soft_wrap=True)
    for attempt in details["attempts"]:
        console.print(
            f"attempt {attempt['attempt']}: {attempt['status']}, {attempt['started_at']}, "
            f"{attempt['wall_s']:.1f} s on {attempt['device']} ({attempt['precision'] or '–'}, "
            f"{attempt['threads']} threads)",
            markup=False,
            highlight=False,
        )
        if attempt["environment"]:
            console.print(f"  {attempt['environment']}", markup=False, style="dim", soft_wrap=True)
        if attempt["error"]:
            console.print(f"  {attempt['error']}", style="red", markup=False)
            console.print(attempt["traceback"], style="dim", markup=False)
    if details["epochs"]:
        curve = Table(title="Epochs", title_justify="left")
        selection = [
            (title, name)
            for title, name in SELECTION.items()
            if any(epoch.get(name) is not None for epoch in details["epochs"])
        ]
        for column in (
            *("epoch", "loss", "fit given", "fit true", "noisy val.", "test", "lr"),
            *(title for title, _ in selection),
        ):
            curve.add_column(column, justify="right")
        for epoch in _thinned(details["epochs"]):
            curve.add_row(
                str(epoch["epoch"]),
                _number(epoch["train_loss"], 4),
                *(
                    _number(epoch[name], 4)
                    for name in ("fit_given", "fit_true", "noisy_val_accuracy", "test_accuracy")
                ),
                f"{epoch['lr']:.5g}",
                *(_number(epoch[name], 4) for _, name in selection),
            )
        console.print(curve)
    if details["evaluations"]:
        table = Table(title="Refiners, last weights", title_justify="left")
        for column in ("refiner", "k", "rank", "noisy val.", "test", "seconds", "error"):
            table.add_column(column, justify="left" if column in ("refiner", "error") else "right")
        for evaluation in details["evaluations"]:
            table.add_row(
                evaluation["refiner"],
                "–" if evaluation["k"] is None else str(evaluation["k"]),
                str(evaluation["rank"]),
                _number(evaluation["noisy_val_accuracy"], 4),
                _number(evaluation["test_accuracy"], 4),
                f"{evaluation['wall_s']:.3f}",
                evaluation["error"],
            )
        console.print(table)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _thinned(epochs: list[dict[str, Any]], most: int = 12) -> list[dict[str, Any]]:
    """First, last and evenly spaced epochs between."""
    if len(epochs) <= most:
        return epochs
    step = (len(epochs) - 1) / (most - 1)
    return [epochs[round(i * step)] for i in range(most)]
