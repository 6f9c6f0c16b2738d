"""What a board lacks, cell by cell, with the commands that fill it."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from bench.report.commands import fill_command, only_name
from bench.report.content import Content
from bench.report.tables import Table, counted
from bench.stats.frame import CELL
from bench.stats.grid import COMMON

MOST_NAMES = 6
"""Of an axis in a command for many cells; beyond them the whole axis runs, which comes to the same
because ``run`` leaves alone what is done."""

ROW = [*CELL, "lacks", "why", "redo", "method_name", "noise_name", "dataset_name"]

AGAIN = "failed"
"""What ``run --redo`` takes for what was tried in vain."""


def missing_table(
    content: Content, holes: str, most: int | None = None, commands: bool = True
) -> Table | None:
    """A row a cell that lacks anything; None where nothing does.

    Args:
        content: the board.
        holes: what the ranking makes of empty cells: ``all`` or ``common``.
        most: rows to show; the rest is counted.
        commands: whether each row has its own.
    """
    lacking = lacking_cells(content)
    if lacking.empty:
        return None
    shown = lacking if most is None else lacking.head(most)
    several = content.asked["dataset"].nunique() > 1
    axes = ["method", "noise", *(["dataset"] if several else [])]
    rows = []
    for row in shown.to_dict("records"):
        cells = [str(row["method"]), str(row["dataset"]), str(row["noise"])]
        command = _command(content, pd.DataFrame([row]), axes, row["redo"]) if commands else ""
        rows.append((*cells, row["lacks"], row["why"], *([command] if commands else [])))
    columns = ("method", "data set", "noise", "lacks", "why", *(["command"] if commands else []))
    groups = [(redo, lacking[lacking["redo"] == redo]) for redo in ("", AGAIN)]
    return Table(
        "Missing cells",
        columns,
        tuple(rows),
        tuple(_notes(content, lacking, len(lacking) - len(shown), holes)),
        prose=frozenset({"lacks", "why", "command"}),
        commands=tuple(_command(content, rows, axes, redo) for redo, rows in groups if len(rows)),
    )


def lacking_cells(content: Content) -> pd.DataFrame:
    """A row a cell and reason, in the order of the plan.

    Returns:
        dataset, noise, method, lacks, why, redo (what ``run --redo`` needs, or empty), and the bare
        names method_name, noise_name, dataset_name.
    """
    missing = content.missing.assign(why="not run yet", redo="")
    missing["lacks"] = [_seeds(seeds) for seeds in missing["seeds"]]
    unevaluated = content.unevaluated.assign(redo="")
    unevaluated["lacks"] = [counted(n, "evaluation") for n in unevaluated["trainings"]]
    unevaluated["why"] = [f"{name} was never evaluated" for name in unevaluated["refiner"]]
    failures = content.failures.assign(redo=AGAIN)
    failures["why"] = [f"failed: {status}" for status in failures["status"]]
    valueless = content.valueless.assign(redo=AGAIN)
    valueless["why"] = [
        f"{name} has no value: {error}"
        for name, error in zip(valueless["refiner"], valueless["error"], strict=True)
    ]
    parts = [missing, unevaluated, _joined(failures), _joined(valueless)]
    found = pd.concat([part.reindex(columns=ROW) for part in parts], ignore_index=True)
    places = pd.MultiIndex.from_frame(content.asked[CELL])
    found["_place"] = places.get_indexer(pd.MultiIndex.from_frame(found[CELL].astype(object)))
    return found.sort_values("_place", kind="stable").drop(columns="_place").reset_index(drop=True)


def _joined(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one cell and reason as one, with their seeds."""
    key = [name for name in ROW if name != "lacks"]
    joined = rows.groupby(key, sort=False)["seed"].agg(
        lambda seeds: _seeds(", ".join(map(str, seeds)))
    )
    return joined.rename("lacks").reset_index()


def _seeds(seeds: str) -> str:
    return f"seed{'s' if ',' in seeds else ''} {seeds}"


def _command(content: Content, rows: pd.DataFrame, axes: list[str], redo: str) -> str:
    """One command for all of the rows."""
    only = {}
    for axis in axes:
        if axis == "dataset":
            names = _unique(rows["dataset_name"])
        else:
            names = _unique(map(only_name, rows[axis], rows[f"{axis}_name"]))
        if len(names) <= MOST_NAMES:
            only[axis] = names
    board = content.board
    return fill_command(board.suite, board.budget, content.db, only, redo)


def _unique(names: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(map(str, names)))


def _notes(content: Content, lacking: pd.DataFrame, more: int, holes: str) -> list[str]:
    cells = len(content.asked)
    touched = len(lacking[CELL].drop_duplicates())
    notes = [
        f"{touched} of the {counted(cells, 'cell')} that the plan asks for "
        f"{'lacks' if touched == 1 else 'lack'} something. "
        + (
            "Ranks are over the columns that every method has (--holes common); "
            if holes == COMMON
            else "A method with an empty cell is not ranked (--holes common ranks over the columns "
            "that every method has); "
        )
        + "nothing is ever filled in."
    ]
    if more:
        notes.append(f"{counted(more, 'more row')} not shown here; format csv has all.")
    failed = int((lacking["redo"] == AGAIN).sum())
    if failed == len(lacking):
        notes.append("What failed is tried again by:")
    elif failed:
        notes.append("The first command runs what was never run, the second what failed:")
    else:
        notes.append("This runs it, and nothing else:")
    return notes
