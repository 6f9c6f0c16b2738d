"""One board of a results database beside what was published."""

from __future__ import annotations

import sqlite3

import pandas as pd

from bench.published import aliases
from bench.published.translate import translate
from bench.stats import published as stats
from bench.store import published as store
from bench.store import reader


def beside(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """Every published figure on the cells of a board, as ``stats.published.beside`` gives it.

    Our figure of the last epoch is the one that is ranked: the evaluation with the refiner off.
    """
    known = aliases.load()
    cells = store.cells(connection, board)
    names = known.published_datasets(cells["dataset_name"])
    figures = translate(store.figures(connection, names), known)
    results = reader.results(connection, board)
    chosen = reader.selections(connection, board)
    last = results[results["refiner"] == "off"].assign(selector=stats.HEADLINE)
    columns = ["dataset", "noise", "method", "selector", "seed", "test_accuracy"]
    runs = pd.concat(
        [last[columns], chosen.loc[chosen["selector"] != stats.HEADLINE, columns]],
        ignore_index=True,
    )
    return stats.beside(cells, runs, figures)
