"""Charts of what is done, read from their specifications."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd
import pytest

from bench.report import coverage_charts as charts
from bench.report.coverage_charts import (
    DONE,
    FAILED,
    LEFT_OUT,
    MISSING,
    NO_VALUE,
    PARTLY,
    STATES,
)
from bench.report.ink import DARK, LIGHT, Ink

STATUSES = [
    ("clean", "a", "done", 3),
    ("clean", "b", "done", 2),
    ("clean", "b", "missing", 1),
    ("clean", "c", "done", 2),
    ("clean", "c", "oom", 1),
    ("noisy", "a", "missing", 3),
    ("noisy", "b", "done", 3),
    ("noisy", "c", "diverged", 2),
    ("noisy", "c", "missing", 1),
]
NAMES = {("digits", "clean"): "clean", ("digits", "noisy"): "noisy", ("digits", "human"): "human"}


@pytest.fixture
def statuses() -> pd.DataFrame:
    """Three methods under two noises, in every state."""
    rows = [["digits", *row] for row in STATUSES]
    return pd.DataFrame(rows, columns=["dataset", "noise", "method", "status", "trainings"])


@pytest.fixture
def frame(statuses: pd.DataFrame) -> pd.DataFrame:
    """Its cells, with one that the plan leaves out for two reasons."""
    out = [["digits", "human", "a", "none here"], ["digits", "human", "a", "nor there"]]
    excluded = pd.DataFrame(out, columns=["dataset", "noise", "method", "reason"])
    return charts.coverage_frame(statuses, excluded, {("digits", "noisy", "b"): 2})


def test_cells_have_the_state_that_needs_attention_most(frame: pd.DataFrame) -> None:
    found = frame.set_index(["noise", "method"])
    assert found["state"].to_dict() == {
        ("clean", "a"): DONE,
        ("clean", "b"): PARTLY,
        ("clean", "c"): FAILED,
        ("noisy", "a"): MISSING,
        ("noisy", "b"): NO_VALUE,
        ("noisy", "c"): FAILED,
        ("human", "a"): LEFT_OUT,
    }
    assert found.loc[("noisy", "c"), ["planned", "done", "failed", "missing"]].tolist() == [
        3,
        0,
        2,
        1,
    ]
    assert found.loc[("noisy", "b"), "lacking"] == 2
    assert found.loc[("human", "a"), ["planned", "reason"]].tolist() == [0, "none here"]


def test_no_statuses_give_no_cells(statuses: pd.DataFrame) -> None:
    excluded = pd.DataFrame(columns=["dataset", "noise", "method", "reason"])
    assert charts.coverage_frame(statuses.head(0), excluded, {}).empty


def layers(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {layer["mark"]["type"]: layer["encoding"] for layer in spec["layer"]}


def test_map_has_colour_and_sign_for_every_state(frame: pd.DataFrame) -> None:
    spec = charts.coverage_map(frame, NAMES).to_dict()
    found = layers(spec)
    labels = found["rect"]["color"]["scale"]["domain"]
    assert labels == [
        "done",
        "½ partly done",
        "× failed",
        "o missing",
        "? without a value",
        "– left out",
    ]
    assert len(set(found["rect"]["color"]["scale"]["range"])) == len(STATES)
    assert found["text"]["text"]["field"] == "glyph"
    assert len(set(charts.GLYPHS.values())) == len(charts.GLYPHS)
    asked = {tip["field"] for tip in found["rect"]["tooltip"]}
    assert {"method", "dataset", "noise", "state", "trainings", "reason"} <= asked


def test_the_longer_axis_goes_down_in_the_order_of_the_plan(frame: pd.DataFrame) -> None:
    upright = layers(charts.coverage_map(frame, NAMES).to_dict())["rect"]
    assert (upright["y"]["field"], upright["x"]["field"]) == ("method", "block")
    assert upright["y"]["sort"] == ["a", "b", "c"]
    assert upright["x"]["sort"] == ["clean", "noisy", "human"]
    lying = layers(charts.coverage_map(frame[frame["method"] != "c"], NAMES).to_dict())["rect"]
    assert (lying["y"]["field"], lying["x"]["field"]) == ("block", "method")


def test_only_what_is_there_is_in_the_legend(frame: pd.DataFrame) -> None:
    spec = charts.coverage_map(frame[frame["state"] == DONE], NAMES).to_dict()
    assert layers(spec)["rect"]["color"]["scale"]["domain"] == ["done"]
    assert layers(spec)["rect"]["x"]["sort"] == ["clean"]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_signs_can_be_read_on_every_fill(page: Ink) -> None:
    for state, fill in charts._fills(page).items():
        if state == LEFT_OUT:
            continue
        low, high = sorted([luminance(page.text), luminance(fill)])
        assert (high + 0.05) / (low + 0.05) > 4.5, state


def test_bar_goes_from_done_over_failures_to_missing() -> None:
    totals = pd.Series({"missing": 1200, "oom": 2, "done": 30, "diverged": 1, "new kind": 4})
    spec = charts.status_bar(totals).to_dict()
    scale = spec["encoding"]["color"]["scale"]
    assert scale["domain"] == ["30 done", "1 diverged", "2 oom", "1,200 missing", "4 new kind"]
    assert len(set(scale["range"])) == 5
    (rows,) = spec["datasets"].values()
    assert [row["place"] for row in rows] == list(range(5))


def test_sixty_methods_by_two_hundred_blocks_are_drawn() -> None:
    cells = list(product([f"set · {i}" for i in range(200)], [f"m{i}" for i in range(60)]))
    statuses = pd.DataFrame(
        [["set", noise, method, "done", 10] for noise, method in cells],
        columns=["dataset", "noise", "method", "status", "trainings"],
    )
    excluded = pd.DataFrame(columns=["dataset", "noise", "method", "reason"])
    frame = charts.coverage_frame(statuses, excluded, {})
    assert len(frame) == 12_000
    names = {("set", noise): noise for noise, _ in cells}
    chart = charts.coverage_map(frame, names)
    assert chart.height.step == charts.LOW_PX
    assert chart.layer[0].encoding.y.shorthand == "block:N"
