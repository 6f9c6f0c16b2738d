"""Tables of the page of methods: cells of one, its parameters, and all methods of a board."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from bench.api import KNOWLEDGE, USES
from bench.report.tables import BADGES
from dashboard.exports import Shown
from dashboard.papers import paper_address
from dashboard.tables import LEAST_PX, LETTER_PX, MOST_PX, NOTHING, PADDING_PX, Figure
from dashboard.words import badges, percent, plain, points


def cells_table(rows: pd.DataFrame, gains: Mapping[str, Mapping[tuple[str, str], float]]) -> Shown:
    """A row a block of the plan: the method there, its rank, and the best.

    Args:
        rows: dataset, noise, state, planned, and of ``beside_best``; NaN where there is no value.
        gains: refiner -> (dataset, noise) -> gain as a share.
    """
    entries = rows.to_dict("records")
    frame = rows[["dataset", "noise"]].reset_index(drop=True)
    frame["seeds"] = [_seeds(row) for row in entries]
    frame["mean"] = _column([_mean(row) for row in entries])
    frame["rank"] = _column([_rank(row) for row in entries])
    frame["best_method"] = [_or(row["best_method"]) for row in entries]
    frame["best"] = _column([_figure(row["best"], percent) for row in entries])
    frame["behind"] = _column([_figure(row["behind"], points) for row in entries])
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    columns: dict[str, Any] = {
        "dataset": text("data set", pinned=True, help="As the suite shows it."),
        "noise": text("noise", pinned=True, help="As the suite shows it."),
        "seeds": text("seeds", help="With a value, of those planned; or why there is none."),
        "mean": number(
            "mean",
            help="Test accuracy in %, last epoch, refiner off: mean over seeds ± half of the 95 % "
            "Student t interval.",
        ),
        "rank": number("rank", help="Among the methods with a value here; ties share a rank."),
        "best_method": text("best", help="The method with the highest mean here."),
        "best": number("its mean", help="Of the best method, in %."),
        "behind": number("to the best", help="This mean minus the best, in percentage points."),
    }
    for position, (refiner, found) in enumerate(gains.items()):
        keys = [(row["dataset"], row["noise"]) for row in entries]
        frame[f"gain{position}"] = _column(
            [_figure(found.get(key, math.nan), points) for key in keys]
        )
        columns[f"gain{position}"] = number(
            f"gain of {refiner}",
            help=f"What {plain(refiner)} adds to the mean, in percentage points, on the same "
            "trained weights.",
        )
    return Shown(frame.style.format(str), columns)


def parameters_table(cells: pd.DataFrame, method: Mapping[str, Any], suite: Any) -> Shown:
    """A row a parameter and value, with who set it.

    Args:
        cells: dataset, dataset_name, noise, noise_name, params: a row a cell.
        method: name, method (its label) and paper_params, as it declared them.
        suite: as it was planned.
    """
    rows: dict[tuple[str, str, str], list[str]] = {}
    for cell in cells.to_dict("records"):
        for name, value in cell["params"].items():
            key = (name, json.dumps(value, ensure_ascii=False), _origin(name, cell, method, suite))
            rows.setdefault(key, []).append(f"{cell['dataset']} · {cell['noise']}")
    frame = pd.DataFrame(
        [
            [*key, "everywhere" if len(where) == len(cells) else ", ".join(where)]
            for key, where in rows.items()
        ],
        columns=["name", "value", "origin", "where"],
    )
    text = st.column_config.TextColumn
    return Shown(
        frame,
        {
            "name": text("parameter", pinned=True, help="As the method declares it."),
            "value": text("value", help="What the trainings of this board had."),
            "origin": text(
                "set by",
                help="default: the method's own; paper: the value that its paper uses for this "
                "data set; suite: the suite's list of methods or its overrides.",
            ),
            "where": text("where", help="In which cells.", width="medium"),
        },
    )


def _origin(name: str, cell: Mapping[Any, Any], method: Mapping[str, Any], suite: Any) -> str:
    """Overrides of the suite win over its list of methods, that over the paper's values."""
    value = cell["params"][name]
    for override in reversed(suite.get("overrides") or []):
        when = override.get("when") or {}
        asked = {
            "method": method["name"],
            "dataset": cell["dataset_name"],
            "noise": cell["noise_name"],
        }
        if name in override.get("params", {}) and all(
            when.get(axis) in (None, wanted) for axis, wanted in asked.items()
        ):
            return "suite"
    if any(
        item.get("name") == method["name"] and item.get("params", {}).get(name, _UNSET) == value
        for item in suite.get("methods") or []
    ):
        return "suite"
    of_paper = method["paper_params"].get(cell["dataset_name"], {})
    return "paper" if of_paper.get(name, _UNSET) == value else "default"


_UNSET = object()


def methods_table(declared: pd.DataFrame, seconds: Mapping[str, float]) -> Shown:
    """A row a method of the board.

    Args:
        declared: as ``method_cells.declared`` gives it.
        seconds: mean seconds a training, by method.
    """
    rows = declared.to_dict("records")
    frame = pd.DataFrame({"method": declared["method"], "family": declared["family"]})
    frame["told"] = [badges([*row["knows"], *row["uses"]]) for row in rows]
    frame["cost"] = pd.to_numeric(declared["cost"], errors="coerce")
    frame["seconds"] = [seconds.get(str(row["method"]), math.nan) for row in rows]
    frame["summary"], frame["paper"] = declared["summary"], declared["paper"]
    frame["address"] = [paper_address(str(row["paper"])) or None for row in rows]
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    known = {**KNOWLEDGE, **USES}
    legend = "; ".join(f"**{short}**: {known[name]}" for name, short in BADGES.items())
    return Shown(
        frame,
        {
            "method": text(
                "method",
                pinned=True,
                width=_width(frame["method"]),
                help="The method and parameters that differ.",
            ),
            "family": text("family", help="As the method declares it."),
            "told": text(
                "told / uses",
                width=_width(frame["told"]),
                help=f"What it is told beyond the wrong labels, or uses beyond one network "
                f"trained from scratch. Empty: nothing. {legend}.",
            ),
            "cost": number(
                "cost",
                format="%.1f",
                help="Forward-and-backward passes a sample and epoch, as declared; cross entropy "
                "is 1.",
            ),
            "seconds": number(
                "seconds", format="%.1f", help="Mean training time, as measured on this board."
            ),
            "summary": text("summary", width="large", help="In its own words."),
            "paper": text("paper", width="medium", help="Where it was proposed."),
            "address": st.column_config.LinkColumn(
                "link", display_text="open", help="To the paper, where its citation holds an id."
            ),
        },
    )


def _width(cells: pd.Series) -> int:
    longest = max((len(cell) for cell in cells), default=0)
    return min(max(LEAST_PX, LETTER_PX * longest + PADDING_PX), MOST_PX)


def _column(figures: Sequence[Figure]) -> pd.Series:
    return pd.Series(list(figures), dtype=object)


def _figure(value: float, words: Any) -> Figure:
    return NOTHING if math.isnan(value) else Figure(value, words(value))


def _mean(row: Mapping[Any, Any]) -> Figure:
    if math.isnan(row["mean"]):
        return NOTHING
    return Figure(row["mean"], percent(row["mean"], (row["high"] - row["low"]) / 2))


def _rank(row: Mapping[Any, Any]) -> Figure:
    if math.isnan(row["mean"]):
        return NOTHING
    return Figure(row["rank"], f"{row['rank']:g} of {row['of']:.0f}")


def _seeds(row: Mapping[Any, Any]) -> str:
    if math.isnan(row["mean"]):
        return str(row["state"])
    if row["seeds"] == row["planned"]:
        return f"{row['seeds']:.0f}"
    return f"{row['seeds']:.0f} of {row['planned']:.0f}"


def _or(value: object) -> str:
    return value if isinstance(value, str) else ""
