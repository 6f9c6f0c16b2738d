"""Charts, read from their specifications."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from bench.report import gain_charts, ink, standing_charts

BLOCKS = [("digits", "clean"), ("digits", "pairflip 0.45")]
NAMES = ["clean", "pairflip 0.45"]


def by_cell(gains: dict[tuple[str, str], float]) -> pd.DataFrame:
    """Gains as ``bench.stats.gains.by_cell`` gives them, of (method, noise)."""
    return pd.DataFrame(
        [
            ["digits", noise, method, "lip", 3, 0.8, gain, gain - 0.01, gain + 0.01]
            for (method, noise), gain in gains.items()
        ],
        columns=["dataset", "noise", "method", "refiner", "seeds", "off", "gain", "low", "high"],
    )


@pytest.fixture
def frame() -> pd.DataFrame:
    """Two methods, two noises, one cell without a pair."""
    gains = {("ce", "clean"): -0.03, ("ce", "pairflip 0.45"): 0.01, ("elr", "clean"): 0.0}
    return gain_charts.gain_frame(by_cell(gains), ["ce", "elr"], BLOCKS, NAMES)


def channels(spec: dict[str, Any], mark: str) -> dict[str, Any]:
    """The encoding of the first layer with that mark."""
    for layer in spec["layer"]:
        if layer["mark"]["type"] == mark:
            return dict(layer["encoding"])
    raise AssertionError(f"no layer draws {mark}")


def test_gain_frame_is_whole_and_in_points(frame: pd.DataFrame) -> None:
    assert frame[["method", "block"]].values.tolist() == [
        ["ce", "clean"],
        ["ce", "pairflip 0.45"],
        ["elr", "clean"],
        ["elr", "pairflip 0.45"],
    ]
    assert frame["gain"].tolist()[:3] == pytest.approx([-3, 1, 0])
    assert math.isnan(frame["gain"][3])
    assert frame["label"].tolist() == ["−3.00", "+1.00", "0", "none"]
    assert frame["effect"].tolist() == ["harm", "gain", "no change", "no pair"]


def test_rounding_of_stored_figures_is_neither_gain_nor_harm() -> None:
    found = gain_charts.gain_frame(by_cell({("ce", "clean"): -2e-8}), ["ce"], BLOCKS[:1], NAMES[:1])
    assert found["effect"].tolist() == ["no change"]


@pytest.mark.parametrize(
    ("gains", "end"),
    [
        ([-3.0, 1.0], 3.0),
        ([0.0, 0.0], gain_charts.LEAST_SPAN),
        ([math.nan], gain_charts.LEAST_SPAN),
        ([], 0.5),
    ],
)
def test_colour_scale_is_symmetric_and_never_too_narrow(gains: list[float], end: float) -> None:
    frame = pd.DataFrame({"gain": pd.Series(gains, dtype=float)})
    frame = frame.assign(method="ce", block="clean", label="", off=80.0, low=0.0, high=0.0, seeds=3)
    scale = channels(gain_charts.heat_map(frame).to_dict(), "rect")["color"]["scale"]
    assert scale["domain"] == [-end, 0, end]
    page = ink.LIGHT
    assert scale["range"] == [page.harm_fill, page.still, page.gain_fill]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", [ink.LIGHT, ink.DARK])
def test_harm_is_as_loud_as_gain(page: ink.Ink) -> None:
    harm, gain = contrast(page.harm_fill, page.still), contrast(page.gain_fill, page.still)
    assert max(harm, gain) / min(harm, gain) < 1.25


@pytest.mark.parametrize("page", [ink.LIGHT, ink.DARK])
def test_figures_can_be_read_on_every_cell(page: ink.Ink) -> None:
    for fill in (page.harm_fill, page.still, page.gain_fill):
        assert contrast(page.text, fill) > 4.5


def test_heat_map_crosses_methods_and_noises_in_order(frame: pd.DataFrame) -> None:
    spec = gain_charts.heat_map(frame).to_dict()
    found = channels(spec, "rect")
    assert (found["x"]["field"], found["y"]["field"]) == ("block", "method")
    assert found["x"]["sort"] == NAMES
    assert found["y"]["sort"] == ["ce", "elr"]
    assert found["color"]["field"] == "gain"
    assert channels(spec, "text")["text"]["field"] == "label"
    holes = [layer for layer in spec["layer"] if layer["mark"].get("strokeDash")]
    assert [layer["transform"] for layer in holes] == [[{"filter": "!isValid(datum.gain)"}]]


def test_gain_against_off_has_sign_in_colour_and_shape(frame: pd.DataFrame) -> None:
    spec = gain_charts.gain_against_off(frame).to_dict()
    found = channels(spec, "point")
    assert (found["x"]["field"], found["y"]["field"]) == ("off", "gain")
    low, high = found["y"]["scale"]["domain"]
    assert low == -high < -3
    assert found["color"]["scale"]["domain"] == found["shape"]["scale"]["domain"]
    assert len(set(found["shape"]["scale"]["range"])) == 3


def test_standings_draw_best_first_with_intervals_over_parts() -> None:
    means = pd.DataFrame(
        [["elr", 91.0, 85.0, 96.0], ["ce", 77.0, math.nan, math.nan]],
        columns=["method", "mean", "low", "high"],
    )
    parts = pd.DataFrame({"method": ["elr", "ce"], "seed": [0, 0], "value": [91.0, 77.0]})
    spec = standing_charts.standings(means, parts, "seed", "test accuracy, %").to_dict()
    assert all(layer["encoding"]["y"]["sort"] == ["elr", "ce"] for layer in spec["layer"])
    rule = channels(spec, "rule")
    assert (rule["x"]["field"], rule["x2"]["field"]) == ("low", "high")
    assert channels(spec, "tick")["x"]["field"] == "value"
    assert channels(spec, "circle")["x"]["scale"]["zero"] is False


def test_k_curve_has_seeds_their_mean_the_choice_and_off() -> None:
    curves = pd.DataFrame(
        {
            "seed": [0, 0, 1, 1],
            "k": [1, 2, 1, 2],
            "test_accuracy": [80.0, 82.0, 81.0, math.nan],
            "chosen": [False, True, True, False],
        }
    )
    spec = gain_charts.k_curve(curves, "test_accuracy", off=79.0).to_dict()
    seeds, mean, chosen, off = spec["layer"]
    assert seeds["encoding"]["detail"]["field"] == "seed"
    assert mean["encoding"]["y"]["aggregate"] == "mean"
    assert mean["mark"]["strokeWidth"] > seeds["mark"]["strokeWidth"]
    assert chosen["transform"] == [{"filter": "datum.chosen"}]
    assert off["encoding"]["y"]["field"] == "off"
    drawn = next(rows for rows in spec["datasets"].values() if len(rows) > 1)
    assert len(drawn) == 3
    assert len(gain_charts.k_curve(curves, "test_accuracy").to_dict()["layer"]) == 3
