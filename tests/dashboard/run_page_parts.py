"""What is on the page of runs, as tests look at it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from bench.records import Outcome
from bench.store.database import open_reader

Fates = tuple[Callable[..., Outcome], Callable[..., Outcome]]


def listed(at: AppTest) -> Any:
    """The list of runs as a frame."""
    return at.dataframe(key="runs_table").value


def keys(db: Path, method: str = "ce", noise: str = "clean") -> list[str]:
    """Short keys of one cell, by seed."""
    with closing(open_reader(db)) as connection:
        rows = connection.execute(
            "SELECT t.training_key FROM board_trainings bt JOIN trainings t "
            "ON t.id = bt.training_id WHERE bt.method = ? AND bt.noise LIKE ? ORDER BY t.seed",
            [method, f"{noise}%"],
        )
        return [row[0][:8] for row in rows]


def charts(at: AppTest) -> list[dict[str, Any]]:
    """What each chart is drawn from."""
    return [json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart")]


def headings(at: AppTest) -> set[str]:
    """The headings of charts."""
    return {line.strip("*") for line in (m.value for m in at.markdown) if line.startswith("**")}
