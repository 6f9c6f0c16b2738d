"""The chart of one method beside the best, read from its specification."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from bench.report.ink import DARK, LIGHT, Ink
from bench.report.method_charts import BEST, LOW_PX, MEDIAN, OWN, TALL_PX, against_best


@pytest.fixture
def frame() -> pd.DataFrame:
    """One block with a result, one of a single seed, one without."""
    nan = math.nan
    return pd.DataFrame(
        [
            ["clean", 90.0, 88.0, 92.0, 95.0, "elr", 91.0, "2 of 3", "done"],
            ["noisy", 70.0, nan, nan, 70.0, "ce", 60.0, "1 of 3", "done"],
            ["hard", nan, nan, nan, 50.0, "elr", 45.0, "", "missing"],
        ],
        columns=["block", "mean", "low", "high", "best", "best_method", "median", "rank", "why"],
    )


def marks(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for layer in spec["layer"]:
        found.setdefault(layer["mark"]["type"], []).append(layer)
    return found


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_three_marks_differ_in_shape_and_colour(frame: pd.DataFrame, page: Ink) -> None:
    spec = against_best(frame, list(frame["block"]), page).to_dict()
    (points,) = marks(spec)["point"]
    encoding = points["encoding"]
    assert encoding["color"]["scale"]["domain"] == [OWN, BEST, MEDIAN]
    assert encoding["shape"]["scale"]["domain"] == [OWN, BEST, MEDIAN]
    assert len(set(encoding["shape"]["scale"]["range"])) == 3
    assert len(set(encoding["color"]["scale"]["range"])) == 3
    drawn = next(rows for rows in spec["datasets"].values() if "who" in rows[0])
    assert sum(row["who"] == OWN for row in drawn) == 2
    assert sum(row["who"] == BEST for row in drawn) == 3
    # The method lies on top of the best that it may be itself.
    assert [row["who"] for row in drawn][-1] == OWN


def test_blocks_without_a_result_say_why(frame: pd.DataFrame) -> None:
    spec = against_best(frame, list(frame["block"])).to_dict()
    (text,) = marks(spec)["text"]
    assert text["transform"] == [{"filter": "!isValid(datum.mean)"}]
    assert text["encoding"]["text"]["field"] == "why"
    gap, interval = marks(spec)["rule"]
    assert gap["encoding"]["x2"]["field"] == "best"
    assert interval["encoding"]["x2"]["field"] == "high"
    assert interval["transform"][-1] == {"filter": "isValid(datum.low)"}


def test_blocks_keep_the_order_of_the_plan_and_many_stand_closer(frame: pd.DataFrame) -> None:
    blocks = list(frame["block"])
    spec = against_best(frame, blocks).to_dict()
    assert all(layer["encoding"]["y"]["sort"] == blocks for layer in spec["layer"])
    assert spec["height"] == {"step": TALL_PX}
    many = [*blocks, *(f"block {i}" for i in range(40))]
    assert against_best(frame, many).to_dict()["height"] == {"step": LOW_PX}
