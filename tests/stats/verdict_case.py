"""One cell of ours beside one published figure, each with changes."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.published import aliases
from bench.published.figures import Figure
from bench.published.translate import translate
from bench.stats.published import beside
from bench.store.published import CELL_COLUMNS, as_frame

CELL: dict[str, Any] = {
    "dataset": "cifar10",
    "noise": "symmetric 0.5",
    "method": "ce",
    "dataset_name": "cifar10",
    "full": True,
    "noise_name": "symmetric",
    "noise_params": {"rate": 0.5, "convention": "exclusive"},
    "method_name": "ce",
    "method_params": {},
    "changed": {},
    "networks": 1,
    "backbone": "resnet34",
    "backbone_params": {"width": 64},
    "epochs": 200,
}

FIGURE: dict[str, Any] = {
    "file": "some.csv",
    "line": 2,
    "method": "CE",
    "dataset": "CIFAR-10",
    "noise": "sym-excl",
    "rate": "0.5",
    "backbone": "ResNet34",
    "epochs": "200",
    "reported": "last",
    "accuracy": 60.0,
    "std": None,
    "source": "A paper",
    "verified": True,
    "verification": "verified in A paper",
}


def judge(
    cell: dict[str, Any] | None = None,
    figure: dict[str, Any] | None = None,
    ours: tuple[float, ...] = (0.6, 0.6, 0.6),
    **selectors: tuple[float, ...],
) -> pd.DataFrame:
    """One cell with some seeds beside one figure, each with changes."""
    cells = pd.DataFrame([CELL | (cell or {})], columns=CELL_COLUMNS)
    found = {"last": ours, **{name.replace("_", "-"): s for name, s in selectors.items()}}
    runs = pd.DataFrame(
        [
            (*cells.loc[0, ["dataset", "noise", "method"]], selector, seed, accuracy)
            for selector, seeds in found.items()
            for seed, accuracy in enumerate(seeds)
        ],
        columns=["dataset", "noise", "method", "selector", "seed", "test_accuracy"],
    )
    figures = as_frame([Figure(**FIGURE | (figure or {}))])
    return beside(cells, runs, translate(figures, aliases.load()))


def reasons(cell: dict[str, Any] | None = None, figure: dict[str, Any] | None = None) -> list[str]:
    """Why the two are not comparable."""
    row = judge(cell, figure).iloc[0]
    assert row["verdict"] == "not comparable"
    assert math.isnan(row["difference"])
    return list(row["reasons"])
