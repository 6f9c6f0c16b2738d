"""Frames and column settings for the tables: numbers stay numbers, so that sorting works."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.exports import Shown
from dashboard.words import percent, points

HIGHLIGHT = "font-weight: bold"
LEAST_PX, LETTER_PX, PADDING_PX, MOST_PX = 80, 7, 24, 300
"""Of a column of names: Streamlit guesses from the first rows and cuts longer names off."""


class Figure(float):
    """A number that is shown in other words: sorted as the one, read as the other."""

    text: str

    def __new__(cls, value: float, text: str) -> Figure:
        """A float with its words."""
        figure = super().__new__(cls, value)
        figure.text = text
        return figure

    def __str__(self) -> str:
        return self.text


NOTHING = Figure(math.nan, "missing")
"""No number; ``st.dataframe`` shows its placeholder for it."""


def gains_table(
    overall: pd.DataFrame, worst_cells: Mapping[str, str], oracle: pd.DataFrame | None = None
) -> Shown:
    """Every refiner over all cells, losses beside gains.

    Args:
        overall: as ``bench.stats.gains.overall`` gives it.
        worst_cells: the name of each refiner's worst cell.
        oracle: as ``bench.stats.oracle.oracle_gains`` gives it, to stand beside the gains.
    """
    frame = overall.assign(where=[worst_cells.get(name, "") for name in overall["refiner"]])
    order = ["refiner", "gain", "low", "high", "wins", "ties", "losses"]
    frame = frame[[*order, "worst", "where", "p", "cells"]].reset_index(drop=True)
    for column in ("gain", "low", "high", "worst"):
        frame[column] = figures(frame[column], points)
    frame["p"] = figures(frame["p"], p_words)
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    columns = {
        "refiner": text("refiner", pinned=True, help="The plug-in on the trained classifier."),
        "gain": number(
            "gain", help="Mean of the cells' gains over off, in percentage points of test accuracy."
        ),
        "low": number("from", help="Lower end of the 95 % bootstrap interval over cells."),
        "high": number("to", help="Upper end of the 95 % bootstrap interval over cells."),
        "wins": number("better", help="Cells whose mean gain is above 0."),
        "ties": number("same", help="Cells whose mean gain is exactly 0."),
        "losses": number("worse", help="Cells whose mean gain is below 0: harm."),
        "worst": number("worst", help="The lowest mean gain of any cell."),
        "where": text("worst cell", help="The cell of the lowest mean gain."),
        "p": number(
            "p",
            help="Wilcoxon signed-rank test over cells, two-sided, corrected by Holm over the "
            "refiners. None below six cells, where no such test can reach 0.05.",
        ),
        "cells": number("cells", help="Cells with a pair of on and off."),
    }
    if oracle is not None:
        best = {row["refiner"]: row for row in oracle.to_dict("records")}
        frame["oracle"] = pd.Series([_ceiling(best.get(n)) for n in frame["refiner"]], dtype=object)
        columns["oracle"] = number(
            "oracle k*, not ranked",
            help="The gain if every training took the k of its best test accuracy. It uses test "
            "labels, so no one could choose that k: it is no result and is never ranked. Empty "
            "for a refiner that has no k.",
        )
    return Shown(styled(frame), columns)


def _ceiling(row: Mapping[Any, Any] | None) -> Figure:
    if row is None:
        return NOTHING
    lacking = f" ({row['lacking']} without a curve)" if row["lacking"] else ""
    return Figure(row["oracle"], points(row["oracle"]) + lacking)


def published_table(beside: pd.DataFrame, names: Mapping[tuple[str, str], str]) -> Shown:
    """A row a published figure beside the cell of ours that it is about.

    Args:
        beside: pairs with their verdicts.
        names: a short name for every (data set, noise).
    """
    rows = beside.to_dict("records")
    frame = pd.DataFrame({"method": [str(row["method"]) for row in rows]})
    frame["noise"] = [names[(row["dataset"], row["noise"])] for row in rows]
    frame["verdict"] = [str(row["verdict"]) for row in rows]
    frame["ours"] = pd.Series(
        [Figure(row["ours"], percent(row["ours"], row["spread"])) for row in rows], dtype=object
    )
    frame["published"] = pd.Series(
        [Figure(row["published"], percent(row["published"], row["std"])) for row in rows],
        dtype=object,
    )
    frame["difference"] = figures([row["difference"] for row in rows], points)
    frame["flag"] = ["" if row["verified"] else "unverified" for row in rows]
    frame["differs"] = [_kinds(row["reasons"]) for row in rows]
    for column in ("backbone", "epochs", "reported"):
        frame[column] = [str(row[column]) for row in rows]
    frame["why"] = ["; ".join(row["reasons"]) for row in rows]
    for column in ("source", "published_noise", "selector"):
        frame[column] = [str(row[column]) for row in rows]
    frame["seeds"] = [int(row["seeds"]) for row in rows]
    return Shown(styled(frame), _published_columns())


def _kinds(reasons: Iterable[str]) -> str:
    """``noise, epochs``: what reasons such as ``noise: …`` and ``epochs: …`` are about."""
    return ", ".join(dict.fromkeys(reason.partition(":")[0] for reason in reasons))


def _published_columns() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "method": text(
            "method", pinned=True, width=130, help="Our method and parameters that differ."
        ),
        "noise": text("noise", help="The noise of our cell."),
        "verdict": text("verdict", help="Reproduced, off or not comparable, by the rules below."),
        "ours": number(
            "ours", help="Our mean over seeds with the refiner off, in %, ± standard deviation."
        ),
        "published": number(
            "published", help="The figure of the source, in %, ± standard deviation if it has one."
        ),
        "difference": number(
            "difference", help="Ours minus published, in points; only where they may be compared."
        ),
        "flag": text(
            "flag",
            width=85,
            help="Unverified: recalled, and not seen in its source. Empty: seen there.",
        ),
        "differs": text("differs in", width=215, help="What keeps the two from being compared."),
        "backbone": text("backbone there", help="Of the published figure."),
        "epochs": text("epochs there", help="Of the published figure, as its source says."),
        "reported": text(
            "reported there", help="Which epoch the source reports, over how many runs."
        ),
        "why": text("why not comparable", width="large", help="Every difference of protocol."),
        "source": text("source", width="medium", help="Where the figure was read."),
        "published_noise": text("noise there", help="The noise in the words of the table."),
        "selector": text("our epoch", help="Which epoch of ours stands beside it."),
        "seeds": number("seeds", help="Seeds that our mean is over."),
    }


def width(cells: pd.Series) -> int:
    """Pixels that show the longest of these texts."""
    longest = max((len(cell) for cell in cells), default=0)
    return min(max(LEAST_PX, LETTER_PX * longest + PADDING_PX), MOST_PX)


def p_words(value: float) -> str:
    """A p-value with three digits."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def figures(values: Iterable[float], words: Callable[[float], str]) -> pd.Series:
    """Numbers with their words; NaN is nothing."""
    shown = [NOTHING if math.isnan(value) else Figure(value, words(value)) for value in values]
    return pd.Series(shown, dtype=object)


def styled(frame: pd.DataFrame) -> Any:
    """Every cell in its words; what is added to its style is so before it is shown first."""
    found: Any = frame.style.format(str)
    # Streamlit asks for both again with every reader, and takes no subclass for a styled frame.
    found._compute, found._translate = cache(found._compute), cache(found._translate)
    return found


def bold_best(column: pd.Series) -> list[str]:
    """A style for every cell of a column: the best stand out."""
    numbers = column.astype(float)
    return [HIGHLIGHT if best else "" for best in numbers == numbers.max()]
