"""Curves of runs: what lines there are, and that no line is known by its colour alone."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from bench.report import run_charts as charts
from bench.report.ink import DARK, LIGHT


@pytest.fixture
def epochs() -> pd.DataFrame:
    """Two seeds, the second one an epoch short; nothing was validated, one loss is not finite."""
    return pd.DataFrame(
        {
            "epoch": [1, 2, 3, 1, 2],
            "seed": [0, 0, 0, 1, 1],
            "test_accuracy": [0.5, 0.6, 0.7, 0.7, 0.8],
            "noisy_val_accuracy": [None] * 5,
            "train_loss": [2.0, None, 1.0, 2.0, 1.5],
            "series": ["b", "b", "b", "a", "a"],
        }
    )


def encodings(chart: Any, channel: str) -> list[dict[str, Any]]:
    layers = chart.to_dict()["layer"]
    return [layer["encoding"][channel] for layer in layers if channel in layer["encoding"]]


def test_a_measure_without_values_has_no_line(epochs: pd.DataFrame) -> None:
    found = charts.measures(epochs, charts.ACCURACY)
    assert set(found["series"]) == {"test accuracy"}
    assert list(found["value"]) == pytest.approx([50, 60, 70, 70, 80])
    assert charts.measures(epochs, charts.SELECTION).empty
    assert charts.measures(epochs.iloc[:0], charts.ACCURACY).empty


def test_an_epoch_without_a_value_is_a_gap(epochs: pd.DataFrame) -> None:
    found = charts.measures(epochs[epochs["seed"] == 0], charts.LOSS, scale=1)
    assert math.isnan(found["value"][1])
    thick = charts.means(found)
    assert list(thick["n"]) == [1, 0, 1]
    assert math.isnan(thick["value"][1])


def test_means_say_how_many_seeds_they_are_of(epochs: pd.DataFrame) -> None:
    thick = charts.means(charts.measures(epochs, charts.ACCURACY))
    assert list(thick["value"]) == pytest.approx([60, 70, 70])
    assert list(thick["n"]) == [2, 2, 1]


def test_compared_keeps_the_order_of_the_runs(epochs: pd.DataFrame) -> None:
    found = charts.compared(epochs, "test_accuracy")
    assert list(dict.fromkeys(found["series"])) == ["b", "a"]
    assert list(dict.fromkeys(charts.means(found)["series"])) == ["b", "a"]
    assert charts.compared(epochs, "noisy_val_accuracy").empty
    assert charts.compared(epochs, "selection_recall").empty


def test_a_run_without_values_has_no_line_in_a_comparison(epochs: pd.DataFrame) -> None:
    epochs.loc[epochs["series"] == "a", "test_accuracy"] = None
    assert set(charts.compared(epochs, "test_accuracy")["series"]) == {"b"}


@pytest.mark.parametrize("ink", [LIGHT, DARK])
def test_lines_differ_in_colour_dash_and_shape(ink: Any) -> None:
    names = [f"run {number}" for number in range(charts.MOST)]
    frame = pd.DataFrame(
        [(e, 0, name, float(e)) for name in names for e in range(1, 31)],
        columns=["epoch", "member", "series", "value"],
    )
    chart = charts.curves(frame, "accuracy, %", ink)
    for channel in ("color", "strokeDash", "shape"):
        for encoding in encodings(chart, channel):
            assert encoding["scale"]["domain"] == names
            values = [str(value) for value in encoding["scale"]["range"]]
            assert len(set(values)) == charts.MOST
        assert encodings(chart, channel)


def test_seeds_are_thin_lines_under_the_mean(epochs: pd.DataFrame) -> None:
    one = charts.curves(charts.measures(epochs[epochs["seed"] == 0], charts.ACCURACY), "%")
    many = charts.curves(charts.measures(epochs, charts.ACCURACY), "%")
    assert not encodings(one, "detail")
    assert encodings(many, "detail")[0]["field"] == "member"
    first = many.to_dict()["layer"][0]["mark"]
    assert first["strokeWidth"] < many.to_dict()["layer"][1]["mark"]["strokeWidth"]


def test_one_line_needs_no_legend_and_one_epoch_is_a_mark() -> None:
    frame = pd.DataFrame({"epoch": [1], "member": [0], "series": ["test accuracy"], "value": [9.0]})
    chart = charts.curves(frame, "%")
    assert encodings(chart, "color")[0]["legend"] is None
    assert charts._marked(charts.means(frame), 1).all()


def test_long_names_stand_below_each_other_and_take_no_room_from_the_plot() -> None:
    def drawn(names: list[str]) -> dict[str, Any]:
        frame = pd.DataFrame(
            [(1, 0, name, 1.0) for name in names], columns=["epoch", "member", "series", "value"]
        )
        return dict(charts.curves(frame, "%").to_dict())

    short, long = drawn(["a", "b"]), drawn(["a" * 40, "b" * 40])
    assert long["height"] > short["height"]
    legend = long["layer"][0]["encoding"]["color"]["legend"]
    assert legend["direction"] == "vertical"


def test_marks_of_lines_that_coincide_stand_apart() -> None:
    frame = pd.DataFrame(
        [(e, 0, name, 1.0) for name in ("a", "b") for e in range(1, 81)],
        columns=["epoch", "member", "series", "value"],
    )
    thick = charts.means(frame)
    marked = thick[charts._marked(thick, 80)]
    places = {name: set(group["epoch"]) for name, group in marked.groupby("series")}
    assert places["a"] & places["b"] == {80}
    assert all(5 <= len(found) <= 12 for found in places.values())


def test_charts_become_files(epochs: pd.DataFrame) -> None:
    import io

    text = io.StringIO()
    charts.curves(charts.measures(epochs, charts.ACCURACY), "%").properties(width=300).save(
        text, format="svg"
    )
    assert text.getvalue().startswith("<svg")
