"""The table of published figures beside ours."""

from __future__ import annotations

import pandas as pd

from bench.report.tables import Table, percent, points
from bench.stats.frame import BLOCK
from bench.stats.published import HEADLINE, NOT_COMPARABLE, RULES, VERDICTS

NOTHING = "No published figure is known for these methods, data sets and noises."


def published_table(beside: pd.DataFrame) -> Table:
    """A row a published figure; those that may be compared come first."""
    one_dataset = len(beside[BLOCK[0]].drop_duplicates()) == 1
    last = beside["verdict"] == NOT_COMPARABLE
    rows = []
    for row in pd.concat([beside[~last], beside[last]]).to_dict("records"):
        rows.append(
            (
                str(row["method"]),
                str(row["noise"]) if one_dataset else f"{row['dataset']} {row['noise']}",
                percent(row["ours"], row["spread"])
                + ("" if row["selector"] == HEADLINE else f" ({row['selector']})"),
                str(row["seeds"]),
                percent(row["published"], row["std"]),
                points(row["difference"]),
                str(row["verdict"]),
                "; ".join(row["reasons"]),
                protocol(row["backbone"], row["epochs"], row["reported"]),
                str(row["source"]) + ("" if row["verified"] else " (unverified)"),
            )
        )
    return Table(
        "Beside published figures",
        (
            "method",
            "noise",
            "ours",
            "seeds",
            "published",
            "difference",
            "verdict",
            "why not",
            "published protocol",
            "source",
        ),
        tuple(rows),
        (
            f"{tally(beside)}. Test accuracy in %, mean ± standard deviation over runs.",
            *RULES,
        ),
        prose=frozenset({"verdict", "why not", "published protocol", "source"}),
    )


def protocol(backbone: str, epochs: str, reported: str) -> str:
    """How a figure came about, in the words of its source; what it does not say is left out."""
    trained = f"{epochs} epochs" if epochs[-1:].isdigit() else epochs and f"epochs {epochs}"
    return ", ".join(filter(None, [backbone, trained, reported]))


def tally(beside: pd.DataFrame) -> str:
    """``2 reproduced, 1 off, 14 not comparable, 3 of them unverified``."""
    counts = beside["verdict"].value_counts()
    text = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
    flagged = int((~beside["verified"].astype(bool)).sum())
    return f"{text}; {flagged} of them unverified" if flagged else text
