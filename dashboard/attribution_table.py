"""The table of whose a gain is, with a column for every control."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from bench.stats.attribution import CONTROLS, Attribution, base
from dashboard.exports import Shown
from dashboard.tables import LETTER_PX, MOST_PX, NOTHING, PADDING_PX, Figure
from dashboard.words import count, points


def attribution_table(found: Attribution) -> Shown:
    """A row a family and LIP variant, the verdict first; numbers sort as numbers."""
    rows = found.verdicts.to_dict("records")
    frame = found.verdicts[["family", "refiner", "verdict"]].reset_index(drop=True)
    for column in ("gain", "low", "high"):
        frame[column] = _points([row[column] for row in rows])
    longest = max((len(verdict) for verdict in frame["verdict"]), default=0)
    width = min(LETTER_PX * longest + PADDING_PX, MOST_PX)
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    columns: dict[str, Any] = {
        "family": text("family", pinned=True, help="Of the methods, as they declare it."),
        "refiner": text("refiner", pinned=True, help="LIP or one of its variants."),
        "verdict": text("verdict", width=width, help="By the rule below the table."),
        "gain": number("gain", help="Mean of the cells' gains over off, in percentage points."),
        "low": number("from", help="Lower end of the 95 % bootstrap interval over cells."),
        "high": number("to", help="Upper end of the 95 % bootstrap interval over cells."),
    }
    beside = {
        (row["family"], row["refiner"], row["control"]): row
        for row in found.beside.to_dict("records")
    }
    for position, control in enumerate(dict.fromkeys(found.beside["control"])):
        cells = [(beside[row["family"], row["refiner"], control], row["cells"]) for row in rows]
        frame[f"control{position}"] = pd.Series([_control(*pair) for pair in cells], dtype=object)
        columns[f"control{position}"] = number(
            control, help=f"Gain of this control on the same trainings: {CONTROLS[base(control)]}."
        )
    if beside:
        names = {
            "difference": ("minus best", "The variant minus the control of the highest mean."),
            "difference_low": ("from ", "Lower end of the 95 % interval of that difference."),
            "difference_high": ("to ", "Upper end of the 95 % interval of that difference."),
        }
        for column, (heading, meaning) in names.items():
            frame[column] = _points([row[column] for row in rows])
            columns[column] = number(heading, help=meaning)
    frame["cells"] = [row["cells"] for row in rows]
    columns["cells"] = number("cells", help="Cells with a pair of the variant and off.")
    if any(row["unpaired"] for row in rows):
        frame["unpaired"] = [row["unpaired"] for row in rows]
        columns["unpaired"] = number(
            "unpaired",
            help="Trainings that have the variant or a control and not both, and are left out of "
            "that comparison: the largest number of any control.",
        )
    return Shown(frame.style.format(str), columns)


def _points(values: list[float]) -> pd.Series:
    shown = [NOTHING if pd.isna(value) else Figure(value, points(value)) for value in values]
    return pd.Series(shown, dtype=object)


def _control(row: dict[Any, Any], cells: int) -> Figure:
    """The control's gain; with its cells where it shares fewer than all with the variant."""
    if not row["cells"]:
        return NOTHING
    fewer = f" ({count(row['cells'], 'cell')})" if row["cells"] < cells else ""
    return Figure(row["control_gain"], points(row["control_gain"]) + fewer)
