"""The labels as given: what each noise of a suite realised on its data."""

from __future__ import annotations

import math

import pandas as pd

from bench.report.tables import Table
from bench.stats.noise import by_block


def labels_table(labels: pd.DataFrame) -> Table:
    """A row a data set and noise; see ``store.audit.labels``."""
    rows = []
    for entry in by_block(labels).to_dict("records"):
        spread = ""
        if entry["highest"] > entry["lowest"]:
            spread = f"{_share(entry['lowest'])} … {_share(entry['highest'])}"
        rows.append(
            (
                str(entry["dataset"]),
                str(entry["noise"]),
                f"{entry['samples']:,}",
                _share(entry["nominal"]),
                "unknown" if math.isnan(entry["realised"]) else _share(entry["realised"]),
                spread,
                _share(entry["open_rate"]) if entry["open_rate"] else "",
                "" if math.isnan(entry["set_size"]) else f"{entry['set_size']:.2f}",
                str(entry["seeds"]),
            )
        )
    columns = (
        *("data set", "noise", "samples", "nominal %", "realised %", "over seeds"),
        *("open %", "candidates", "seeds"),
    )
    used = [i for i in range(len(columns)) if any(row[i] for row in rows)]
    return Table(
        "Labels as given",
        tuple(columns[i] for i in used),
        tuple(tuple(row[i] for i in used) for row in rows),
        (
            "Share of wrong training labels, computed from the labels of these very samples and "
            "not quoted; nominal is what was asked for, with equally frequent classes. Open is the "
            "share of images that belong to no class, which count as wrong.",
        ),
        prose=frozenset({"data set", "noise"}),
    )


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.2f}"
