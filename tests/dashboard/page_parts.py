"""What is on a page, as tests look at it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
from streamlit.testing.v1 import AppTest

from bench.store import reader
from bench.store.database import open_reader

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]
Make = Callable[..., Path]
Saved = dict[str, Callable[[], str | bytes]]


def table(at: AppTest) -> pd.DataFrame:
    """The first table, as numbers."""
    found: pd.DataFrame = at.dataframe[0].value
    return found


def with_columns(at: AppTest, *names: str) -> pd.DataFrame:
    """The first table that has these columns."""
    found: pd.DataFrame = next(
        d.value for d in at.dataframe if {*names} <= {*map(str, d.value.columns)}
    )
    return found


def settings(frame: Any) -> dict[str, dict[str, Any]]:
    """Settings of a table's columns by name."""
    return dict(json.loads(frame.proto.columns))


def headings(at: AppTest) -> list[str]:
    """Headings of the first table, in its order."""
    known = settings(at.dataframe[0])
    return [str(known[name].get("label") or name) for name in table(at).columns]


def charts(at: AppTest) -> list[str]:
    """What each chart says to who cannot see it."""
    return [chart.proto.alt for chart in at.get("vega_lite_chart")]


def results_of(db: Path, suite: str = "tiny") -> pd.DataFrame:
    """All results of the board of a suite, as the database's view has them."""
    with closing(open_reader(db)) as connection:
        board = reader.find_board(connection, suite, None).board
        return reader.results(connection, board)
