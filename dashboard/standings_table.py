"""The table of the leaderboard: numbers stay numbers, so that sorting works."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from bench.api import KNOWLEDGE, USES
from bench.report.tables import BADGES
from bench.stats import ranks
from bench.stats.frame import CELL
from dashboard.exports import Shown
from dashboard.standing import Standing
from dashboard.tables import NOTHING, Figure, bold_best, figures, styled, width
from dashboard.words import badges, headings, percent, plain

EACH_NOISE, EACH_DATA_SET, NO_COLUMNS = "each noise", "data sets", "ranking only"
MOST_STYLED = 2000
"""Cells across; a table with more holds plain numbers."""


def standings_table(
    standing: Standing,
    strengths: pd.DataFrame,
    declared: Mapping[str, list[str]],
    costs: pd.DataFrame,
    columns: str,
    oracle: Mapping[str, float] | None = None,
) -> Shown:
    """Methods down; what ranks them, what they cost, and noises or data sets across.

    Args:
        standing: ranks and cells.
        strengths: of the ranked methods, as ``bench.stats.bradley_terry.strengths`` gives them.
        declared: what each method is told or uses.
        costs: as ``bench.stats.costs.costs_of`` has it.
        columns: ``EACH_NOISE``, ``EACH_DATA_SET`` or ``NO_COLUMNS``.
        oracle: mean accuracy of the best test epoch, to stand beside the ranking, never in it.
    """
    rows = standing.table.to_dict("records")
    methods = [str(row["method"]) for row in rows]
    strength, groups = _strengths(standing.ranks, strengths)
    price = costs.set_index("method")
    frame = pd.DataFrame({"method": methods})
    frame["rank"] = figures([row["rank"] for row in rows], "{:.2f}".format)
    frame["group"] = [groups.get(method, "") for method in methods]
    frame["told"] = [badges(declared.get(method, [])) for method in methods]
    frame["mean"] = pd.Series([_mean(row) for row in rows], dtype=object)
    if oracle is not None:
        frame["oracle"] = figures([oracle.get(method, math.nan) for method in methods], percent)
    frame["strength"] = pd.Series([strength.get(m, NOTHING) for m in methods], dtype=object)
    unit = str(costs["unit"].iloc[0]) if len(costs) else ""
    found = price["cost"].to_dict()
    frame["cost"] = figures([found.get(method, math.nan) for method in methods], "{:.1f}".format)
    settings = _standings_columns(standing, oracle is not None, unit)
    across = {EACH_NOISE: _noise_columns, EACH_DATA_SET: _data_set_columns}.get(columns)
    beside: dict[str, list[Figure]] = {}
    if across is not None:
        beside, more = across(standing, methods)
        settings |= more
    for name in ("method", "told"):
        settings[name]["width"] = width(frame[name])
    if len(methods) * len(beside) > MOST_STYLED:
        # Streamlit draws a styled frame cell by cell: many cells are numbers without words.
        plain_cells = {name: [100 * float(v) for v in values] for name, values in beside.items()}
        for name in beside:
            settings[name] = {**settings[name], "type_config": _two_digits(settings[name])}
        numbers = pd.concat([_as_text(frame), pd.DataFrame(plain_cells)], axis=1)
        return Shown(numbers, settings)
    wide = pd.DataFrame({name: pd.Series(v, dtype=object) for name, v in beside.items()})
    frame = pd.concat([frame, wide], axis=1)
    ranked = ["mean", *beside]
    best = {
        (row, frame.columns.get_loc(name))
        for name in ranked
        for row, stressed in enumerate(bold_best(frame[name]))
        if stressed
    }
    return Shown(styled(frame).apply(bold_best, subset=ranked), settings, frozenset(best))


def _strengths(
    table: pd.DataFrame, strengths: pd.DataFrame
) -> tuple[dict[str, Figure], dict[str, str]]:
    """Strengths with half their interval, and letters of those not told apart, by method."""
    if table.shape[1] < 2 or table.empty:
        return {}, {}
    shown = {}
    for row in strengths.to_dict("records"):
        half = (row["high"] - row["low"]) / 2
        text = f"{row['strength']:.0f}" + ("" if math.isnan(half) else f" ± {half:.0f}")
        shown[str(row["method"])] = Figure(row["strength"], text)
    average = ranks.average_ranks(table).sort_values(kind="stable")
    difference = ranks.critical_difference(table.shape[1], len(table))
    order = [str(name) for name in average.index]
    return shown, ranks.letters(order, ranks.cliques(average, difference))


def _noise_columns(
    standing: Standing, methods: list[str]
) -> tuple[dict[str, list[Figure]], dict[str, Any]]:
    cells = standing.cells
    keys = zip(cells["dataset"], cells["noise"], cells["method"], strict=True)
    found = dict(zip(keys, cells.to_dict("records"), strict=True))
    values, settings = {}, {}
    for position, (block, heading) in enumerate(
        zip(standing.blocks, headings(standing.blocks), strict=True)
    ):
        name = f"block{position}"
        values[name] = [
            _cell(found[(*block, method)]) if (*block, method) in found else NOTHING
            for method in methods
        ]
        settings[name] = st.column_config.NumberColumn(
            heading,
            help=f"Test accuracy on {plain(block[0])} with noise {plain(block[1])}, in %: mean "
            "over seeds ± half of the 95 % Student t interval. (2/3): two of three seeds.",
        )
    return values, settings


def _data_set_columns(
    standing: Standing, methods: list[str]
) -> tuple[dict[str, list[Figure]], dict[str, Any]]:
    """Means over the noises of a data set, of methods that have all of them."""
    cells = standing.cells
    counted = set(standing.counted)
    asked = Counter(dataset for dataset, _ in standing.counted)
    means: dict[tuple[str, str], list[float]] = {}
    for dataset, noise, method, mean in cells[[*CELL, "mean"]].itertuples(index=False):
        if (dataset, noise) in counted:
            means.setdefault((dataset, method), []).append(mean)
    values, settings = {}, {}
    for position, (dataset, noises) in enumerate(asked.items()):
        name = f"data{position}"
        column = []
        for method in methods:
            found = means.get((dataset, method), [])
            value = sum(found) / noises
            column.append(Figure(value, percent(value)) if len(found) == noises else NOTHING)
        values[name] = column
        settings[name] = st.column_config.NumberColumn(
            dataset,
            help=f"Mean test accuracy over the {noises} noises of {plain(dataset)}, in %; "
            "empty for a method that lacks one of them.",
        )
    return values, settings


def _two_digits(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**settings.get("type_config", {}), "type": "number", "format": "%.2f"}


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Figures as numbers where that says all, as words where it does not."""
    shown = frame.copy()
    for name in ("mean", "strength"):
        shown[name] = [str(value) if not math.isnan(value) else None for value in frame[name]]
    for name in ("rank", "cost", *(["oracle"] if "oracle" in frame else [])):
        shown[name] = [float(str(v)) if not math.isnan(v) else math.nan for v in frame[name]]
    return shown


def _standings_columns(standing: Standing, oracle: bool, unit: str) -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    known = {**KNOWLEDGE, **USES}
    legend = "; ".join(f"**{short}**: {known[name]}" for name, short in BADGES.items())
    columns: dict[str, Any] = {
        "rank": number(
            "rank",
            help="Average of the ranks in the noise columns; 1 is best, ties share a rank. Only "
            "methods with a result in every column that counts are ranked.",
        ),
        "group": text(
            "group",
            help="Methods that share a letter are not told apart: their average ranks differ by "
            "less than the critical difference of Nemenyi's test at 0.05.",
        ),
        "method": text("method", pinned=True, help="The method and parameters that differ."),
        "told": text(
            "told / uses",
            help=f"What a method is told beyond the wrong labels, or uses beyond one network "
            f"trained from scratch. Empty: nothing. {legend}.",
        ),
        "mean": number(
            "mean",
            help="Mean over the noise columns, in %, ± half of the 95 % bootstrap interval over "
            "them. Only for ranked methods.",
        ),
        "oracle": number(
            "oracle, not ranked",
            help="Mean over the same columns at each training's best test epoch. It uses test "
            "labels, so no one could choose that epoch: it is no result and is never ranked.",
        ),
        "strength": number(
            "strength",
            help="Bradley–Terry, ± half of the 95 % bootstrap interval over noise columns: 400 "
            "points more are odds of 10 to 1 to be the better one in a column; the average method "
            "has 1000.",
        ),
        "cost": number(
            "cost",
            help=f"Measured {unit or 'training time'}, mean over all trainings of this board.",
        ),
    }
    if not oracle:
        del columns["oracle"]
    return columns


def _mean(row: Mapping[Any, Any]) -> Figure:
    if math.isnan(row["mean"]):
        return NOTHING
    return Figure(row["mean"], percent(row["mean"], (row["high"] - row["low"]) / 2))


def _cell(row: Mapping[Any, Any]) -> Figure:
    text = percent(row["mean"], (row["high"] - row["low"]) / 2)
    if row["seeds"] < row["planned"]:
        text += f" ({row['seeds']}/{row['planned']:.0f})"
    return Figure(row["mean"], text)
