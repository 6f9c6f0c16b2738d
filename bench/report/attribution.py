"""The table that says whether a gain is LIP's own, or would come from a control too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.report.tables import Table, interval, points
from bench.stats.attribution import CONTROLS, EVERY, Attribution, attribution, base

OTHER = "other"
"""Family of a method that declares none."""

TITLE = "Is it LIP, or would a control have done?"

RULE = (
    "Verdict, by 95 % bootstrap intervals over cells: harm, the gain's interval is below 0; no "
    "gain, it holds 0; also by …, it is above 0 but that of the difference to these controls is "
    "not; open: no …, above 0 against every control that ran, and these did not run (or share "
    "fewer than three cells); LIP's own, above 0 against every control."
)
CAVEAT = (
    "The best control is picked by its mean, which favours the control. Bootstrap intervals over "
    "few cells are too narrow, and none is corrected for the number of rows."
)


def families_of(methods: pd.DataFrame, results: pd.DataFrame) -> dict[str, str]:
    """The family of every method in the results; ``other`` where none is declared."""
    declared = {
        row["method"]: row["family"]
        for row in methods.to_dict("records")
        if isinstance(row["family"], str)  # what is absent may be None or NaN
    }
    return {str(name): declared.get(name, OTHER) for name in dict.fromkeys(results["method"])}


def attribution_tables(results: pd.DataFrame, methods: pd.DataFrame) -> list[Table]:
    """One table; none where no LIP variant ran or no method says its family.

    Args:
        results: one row a training and refiner of one board.
        methods: what each method declared; ``family`` is used.
    """
    if "family" not in methods:
        return []
    found = attribution(results, families_of(methods, results))
    return [attribution_table(found)] if len(found.verdicts) else []


def attribution_table(found: Attribution) -> Table:
    """A row a family and LIP variant: its gain, that of every control, and the verdict."""
    controls = list(dict.fromkeys(found.beside["control"]))
    beside = {
        (row["family"], row["refiner"], row["control"]): row
        for row in found.beside.to_dict("records")
    }
    unpaired = bool((found.verdicts["unpaired"] > 0).any())
    rows = []
    for row in found.verdicts.to_dict("records"):
        key = (row["family"], row["refiner"])
        rows.append(
            (
                str(row["family"]),
                str(row["refiner"]),
                points(row["gain"]),
                interval(row["low"], row["high"]),
                *(_control(beside[*key, name], row["cells"]) for name in controls),
                *(_difference(row) if controls else ()),
                str(row["cells"]),
                *([str(row["unpaired"])] if unpaired else []),
                str(row["verdict"]),
            )
        )
    columns = ["family", "refiner", "gain", "95 % interval", *controls]
    columns += ["minus best control", "its 95 % interval"] if controls else []
    columns += ["cells", *(["unpaired"] if unpaired else []), "verdict"]
    return Table(
        TITLE,
        tuple(columns),
        tuple(rows),
        tuple(_notes(controls, unpaired)),
        prose=frozenset({"family", "verdict"}),
    )


def _control(row: Mapping[Any, Any], cells: int) -> str:
    """The control's gain; with its cells where it shares fewer than all with the variant."""
    fewer = f" ({row['cells']} cells)" if 0 < row["cells"] < cells else ""
    return points(row["control_gain"]) + fewer


def _difference(row: Mapping[Any, Any]) -> tuple[str, str]:
    return points(row["difference"]), interval(row["difference_low"], row["difference_high"])


def _notes(controls: list[str], unpaired: bool) -> list[str]:
    if controls:
        ran = dict.fromkeys(map(base, controls))
        words = "; ".join(f"{name}: {CONTROLS[name]}" for name in ran)
        beside = f"Controls, on the same trainings: {words}."
    else:
        beside = "No control ran on this board, so that no gain can be called LIP's own."
    notes = [
        f"Gain over off in percentage points, by family of method; {EVERY} is over all of them. "
        f"{beside}",
        RULE,
        CAVEAT,
    ]
    if unpaired:
        notes.append(
            "Unpaired: trainings that have the variant or a control and not both; they are left "
            "out of that comparison, and the largest number of any control is given."
        )
    return notes
