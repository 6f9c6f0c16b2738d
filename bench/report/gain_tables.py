"""What refiners give and take, as tables: over all cells, by method, and in every cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.report.standing import half, headings
from bench.report.tables import (
    MISSING,
    NOTHING,
    Table,
    interval,
    is_wide,
    p_words,
    percent,
    points,
    stars,
    turned,
)
from bench.stats.frame import BLOCK
from bench.stats.signed_rank import LEAST

ORACLE = "oracle k*"
ORACLE_NOTE = (
    "Oracle k*: the gain if every training took the k of its best test accuracy. It looked at test "
    "labels, so it is no result and is never ranked; no rule for k can give more."
)

GAINS = ("gain", "95 % interval", "wins", "ties", "losses", "worst cell", "p")
MORE = ("effect", "P(better)", "cells")
"""Columns of figures over cells."""

SIGNS = (
    "Wins, ties, losses: cells whose mean gain is above, at or below 0. Effect: matched-pairs "
    "rank-biserial correlation over cells, 1 where every cell gains and -1 where every cell loses. "
    "P(better): probability of improvement, the share of a cell's seeds that gain (ties half), "
    "averaged over cells, ± half of its 95 % bootstrap interval."
)


def gains_table(gained: pd.DataFrame, oracle: pd.DataFrame | None = None) -> Table:
    """Every refiner over all cells, losses beside gains.

    Args:
        gained: as ``stats.gains.overall`` gives it.
        oracle: as ``stats.oracle.oracle_gains`` gives it: a last column that is marked.
    """
    best = {} if oracle is None else {row["refiner"]: row for row in oracle.to_dict("records")}
    rows: list[tuple[str, ...]] = []
    marks: dict[tuple[int, int], str] = {}
    for number, entry in enumerate(gained.to_dict("records")):
        ceiling = [_ceiling(best.get(entry["refiner"]))] if best else []
        rows.append((str(entry["refiner"]), *_figures(entry, "p"), *ceiling))
        marks |= _stars(number, entry["p"])
    columns = ("refiner", *GAINS, *MORE)
    notes = (
        "Percentage points of test accuracy, from the same trained weights; seeds averaged "
        "inside a cell, bootstrap interval and Wilcoxon test (Holm over refiners) over cells. "
        "Cells of one data set are less independent than the test takes them to be.",
        SIGNS,
        _tests(gained["p"]),
    )
    return Table(
        "Gain of each refiner over off",
        (*columns, ORACLE) if best else columns,
        tuple(rows),
        (*notes, ORACLE_NOTE) if best else notes,
        marks=marks,
    )


def gains_by_method_table(by_method: pd.DataFrame, refiner: str) -> Table:
    """One refiner on every method, those that it helps most first.

    Args:
        by_method: as ``stats.gains.by_method`` gives it.
        refiner: whose gains.
    """
    frame = by_method[by_method["refiner"] == refiner]
    frame = frame.sort_values("gain", ascending=False, kind="stable")
    rows: list[tuple[str, ...]] = []
    marks: dict[tuple[int, int], str] = {}
    for number, entry in enumerate(frame.to_dict("records")):
        rows.append((str(entry["method"]), percent(entry["off"]), *_figures(entry, "p_holm")))
        marks |= {(n, c + 1): mark for (n, c), mark in _stars(number, entry["p_holm"]).items()}
    return Table(
        f"Gain of {refiner} by method",
        ("method", "off", *GAINS, *MORE),
        tuple(rows),
        (
            "Off: mean test accuracy without the refiner, in %. Gains in percentage points over "
            "the method's cells, p of Wilcoxon's test (Holm over methods).",
            _tests(frame["p_holm"]),
        ),
        marks=marks,
    )


def gain_cells_table(by_cell: pd.DataFrame, refiner: str) -> Table:
    """One refiner's gain in every cell: methods down, blocks across.

    Args:
        by_cell: as ``stats.gains.by_cell`` gives it.
        refiner: whose gains.
    """
    frame = by_cell[by_cell["refiner"] == refiner]
    blocks = [tuple(block) for block in frame[BLOCK].drop_duplicates().itertuples(index=False)]
    indexed = frame.set_index(["dataset", "noise", "method"])["gain"].to_dict()
    rows = []
    for method in dict.fromkeys(frame["method"]):
        row = [str(method)]
        for block in blocks:
            key = (*block, method)
            row.append(points(indexed[key]) if key in indexed else MISSING)
        rows.append(tuple(row))
    notes = ["Mean paired gain over seeds, percentage points; minus is harm."]
    few = int((frame["seeds"] < 3).sum())
    if few:
        every = "All" if few == len(frame) else f"{few} of {len(frame)}"
        notes.append(f"{every} cells have fewer than three seeds: a single cell says little there.")
    table = Table(
        f"Gain of {refiner} in each cell",
        ("method", *headings(blocks)),
        tuple(rows),
        tuple(notes),
    )
    return turned(table, "method") if is_wide(table) else table


def _figures(entry: Mapping[Any, Any], p: str) -> tuple[str, ...]:
    better = NOTHING
    if not math.isnan(entry["improvement"]):
        spread = half(entry["improvement_low"], entry["improvement_high"])
        better = f"{entry['improvement']:.2f}"
        better += "" if math.isnan(spread) else f" ± {spread:.2f}"
    return (
        points(entry["gain"]),
        interval(entry["low"], entry["high"]),
        str(entry["wins"]),
        str(entry["ties"]),
        str(entry["losses"]),
        points(entry["worst"]),
        p_words(entry[p]),
        _effect(entry["effect"]),
        better,
        str(entry["cells"]),
    )


def _effect(value: float) -> str:
    if math.isnan(value):
        return NOTHING
    return "0" if abs(value) < 0.005 else f"{value:+.2f}"


def _stars(row: int, p: float) -> dict[tuple[int, int], str]:
    mark = stars(p)
    return {(row, 1): mark} if mark else {}


def _tests(p: pd.Series) -> str:
    if p.isna().all():
        return f"No p: below {LEAST} cells no such test can reach 0.05, so none is made."
    return "* p < 0.05, ** p < 0.01, *** p < 0.001, corrected by Holm, for gain as for harm."


def _ceiling(row: Mapping[Any, Any] | None) -> str:
    """The oracle's gain, with the trainings that it could not look at."""
    if row is None:
        return NOTHING
    lacking = f" ({row['lacking']} without a curve)" if row["lacking"] else ""
    return points(row["oracle"]) + lacking
