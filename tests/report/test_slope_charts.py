"""Charts of gains: from off to on, against the noise rate, cell by cell, and whose they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_rank_charts import HOSTILE, drawn, marks, words

from bench.report import forest, gain_charts, slope_charts
from bench.report.ink import DARK, LIGHT, Ink
from bench.stats.attribution import attribution
from bench.stats.gains import by_cell


def gains_of(
    methods: list[str], blocks: int, gain: float | None = None, lacking: int = 0
) -> pd.DataFrame:
    """A gain frame of methods × blocks; the first ``lacking`` cells have no pair."""
    random = np.random.default_rng(blocks)
    pairs = [("digits", f"noise {number}") for number in range(blocks)]
    rows = []
    for method in methods:
        for dataset, noise in pairs:
            found = 0.02 * random.standard_normal() if gain is None else gain
            row = {"dataset": dataset, "noise": noise, "method": method, "seeds": 3}
            rows.append(
                row | {"off": 0.7, "gain": found, "low": found - 0.01, "high": found + 0.01}
            )
    frame = pd.DataFrame(rows).iloc[lacking:]
    return gain_charts.gain_frame(frame, methods, pairs, [noise for _, noise in pairs])


SOME = ["ce", "gce", "elr"]
CASES = {
    "one cell": gains_of(["ce"], 1),
    "three methods": gains_of(SOME, 4),
    "nothing changed": gains_of(SOME, 3, gain=0.0),
    "all harm": gains_of(SOME, 3, gain=-0.05),
    "with a hole": gains_of(SOME, 2, lacking=1),
    "no pair at all": gains_of(SOME, 2, lacking=6),
    "hostile names": gains_of(HOSTILE, 2),
    "60 methods": gains_of([f"method-{i}" for i in range(60)], 20),
}


def rated(frame: pd.DataFrame) -> pd.DataFrame:
    """With a made-up share of wrong labels for every noise."""
    places = {name: 10.0 * i for i, name in enumerate(dict.fromkeys(frame["block"]))}
    return frame.assign(rate=frame["block"].map(places))


def test_a_method_goes_from_its_mean_off_to_its_mean_on() -> None:
    frame = CASES["three methods"]
    slopes = slope_charts.slope_frame(frame)
    kept = slopes[(slopes["level"] == "method") & (slopes["method"] == "gce")]
    own = frame[frame["method"] == "gce"]
    assert kept.set_index("state")["accuracy"].to_dict() == pytest.approx(
        {"off": own["off"].mean(), "on": (own["off"] + own["gain"]).mean()}
    )


def test_every_line_has_two_ends() -> None:
    slopes = slope_charts.slope_frame(CASES["three methods"])
    assert slopes.groupby("line")["state"].agg(list).tolist() == [["off", "on"]] * (3 + 12)


def test_cells_without_a_pair_have_no_line() -> None:
    slopes = slope_charts.slope_frame(CASES["with a hole"])
    assert (slopes["level"] == "cell").sum() == 2 * 5


def test_a_mean_is_over_the_cells_with_a_pair_only() -> None:
    frame = CASES["with a hole"]
    slopes = slope_charts.slope_frame(frame)
    ce = slopes[(slopes["level"] == "method") & (slopes["method"] == "ce")]
    assert ce["gain"].iloc[0] == pytest.approx(frame.loc[1, "gain"])


def test_many_cells_are_drawn_as_means_alone() -> None:
    slopes = slope_charts.slope_frame(CASES["60 methods"])
    assert set(slopes["level"]) == {"method"}
    assert len(slopes) == 2 * 60


@pytest.mark.parametrize(
    ("gain", "effect"), [(0.01, "gain"), (-0.01, "harm"), (0.0, "no change"), (5e-8, "no change")]
)
def test_the_effect_of_a_method_is_the_sign_of_its_mean(gain: float, effect: str) -> None:
    slopes = slope_charts.slope_frame(gains_of(["ce"], 3, gain=gain))
    assert set(slopes.loc[slopes["level"] == "method", "effect"]) == {effect}


def test_nothing_to_draw_is_a_frame_without_rows() -> None:
    assert slope_charts.slope_frame(CASES["no pair at all"]).empty


def layers_with(spec: dict[str, Any], channel: str) -> list[dict[str, Any]]:
    """Encodings of the layers that have a channel."""
    return [layer["encoding"] for layer in spec["layer"] if channel in layer["encoding"]]


@pytest.mark.parametrize("ink", [LIGHT, DARK])
def test_harm_is_told_by_dashes_and_by_colour(ink: Ink) -> None:
    spec = slope_charts.slope_chart(slope_charts.slope_frame(CASES["three methods"]), ink).to_dict()
    for encoding in layers_with(spec, "strokeDash"):
        colours, dashes = encoding["color"]["scale"], encoding["strokeDash"]["scale"]
        assert colours["domain"] == dashes["domain"] == ["gain", "no change", "harm"]
        assert colours["range"] == [ink.gain, ink.faint, ink.harm]
        assert len({tuple(dash) for dash in dashes["range"]}) == 3


@pytest.mark.parametrize("case", CASES)
def test_vega_draws_every_slope(case: str) -> None:
    slopes = slope_charts.slope_frame(CASES[case])
    tree = drawn(slope_charts.slope_chart(slopes))
    assert marks(tree, "symbol") == int((slopes["level"] == "method").sum())


def test_few_methods_are_named_at_the_end_of_their_lines() -> None:
    slopes = slope_charts.slope_frame(CASES["hostile names"])
    assert set(HOSTILE) <= set(words(drawn(slope_charts.slope_chart(slopes))))


@pytest.mark.parametrize("case", CASES)
def test_vega_draws_every_gain_against_its_rate(case: str) -> None:
    frame = rated(CASES[case])
    tree = drawn(slope_charts.gain_against_rate(frame))
    assert marks(tree, "symbol") == int(frame["gain"].notna().sum())


def test_a_rate_that_nobody_knows_is_left_out() -> None:
    frame = rated(CASES["three methods"])
    frame.loc[frame["block"] == "noise 0", "rate"] = math.nan
    assert marks(drawn(slope_charts.gain_against_rate(frame)), "symbol") == 9


def test_the_line_is_the_mean_at_each_rate() -> None:
    frame = rated(CASES["three methods"])
    spec = slope_charts.gain_against_rate(frame).to_dict()
    (means,) = [rows for rows in spec["datasets"].values() if {*rows[0]} == {"rate", "gain"}]
    expected = frame.groupby("rate")["gain"].mean()
    assert {row["rate"]: row["gain"] for row in means} == pytest.approx(expected.to_dict())


def test_zero_is_in_the_middle_of_gains_against_rates() -> None:
    spec = slope_charts.gain_against_rate(rated(CASES["all harm"])).to_dict()
    low, high = layers_with(spec, "shape")[0]["y"]["scale"]["domain"]
    assert low == -high


@pytest.mark.parametrize("case", CASES)
def test_vega_draws_every_cell_of_the_heat_map(case: str) -> None:
    frame = CASES[case]
    tree = drawn(gain_charts.heat_map(frame))
    assert marks(tree, "rect") == len(frame)
    assert set(frame["method"]) <= set(words(tree))


def test_the_heat_map_of_more_cells_than_altair_allows_rows_can_be_saved() -> None:
    frame = gains_of([f"method-{i}" for i in range(60)], 85)
    assert len(frame) > 5000
    assert marks(drawn(gain_charts.heat_map(frame)), "rect") == len(frame)


@pytest.mark.parametrize("case", CASES)
def test_vega_draws_every_gain_against_accuracy(case: str) -> None:
    frame = CASES[case]
    tree = drawn(gain_charts.gain_against_off(frame))
    assert marks(tree, "symbol") == int(frame["gain"].notna().sum())


CURVES = {
    "three seeds": (3, 10, True),
    "one seed": (1, 10, True),
    "one k": (2, 1, True),
    "none chosen": (2, 5, False),
}


@pytest.mark.parametrize("off", [None, 70.0])
@pytest.mark.parametrize("case", CURVES)
def test_vega_draws_curves_and_the_k_that_was_taken(case: str, off: float | None) -> None:
    seeds, rank, chosen = CURVES[case]
    rows = [
        {"seed": seed, "k": k, "test_accuracy": 70.0 + k + seed, "chosen": chosen and k == rank}
        for seed in range(seeds)
        for k in range(1, rank + 1)
    ]
    tree = drawn(gain_charts.k_curve(pd.DataFrame(rows), "test_accuracy", off))
    assert marks(tree, "symbol") == (seeds if chosen else 0)
    assert marks(tree, "rule") == (0 if off is None else 1)


def whose(methods: list[str], cells: int = 3) -> pd.DataFrame:
    """LIP and two controls on methods of two families, as a frame for the chart."""
    rows = []
    for place, method in enumerate(methods):
        for number in range(cells):
            key = ("digits", f"n{number}", method, 0)
            for name, gain in {"off": 0.0, "lip": 0.02, "psp": 0.01, "ridge": -0.01}.items():
                rows.append((*key, name, 0.5 + gain + (number + place) / 1000 * (name != "off")))
    columns = ["dataset", "noise", "method", "seed", "refiner", "test_accuracy"]
    families = {method: ("loss", "selection")[i % 2] for i, method in enumerate(methods)}
    found = attribution(pd.DataFrame(rows, columns=columns), families)
    return forest.forest_frame(found, "lip")


@pytest.mark.parametrize(
    ("methods", "cells"), [(["ce"], 1), (["ce"], 3), (["ce", "elr"], 3), (HOSTILE, 2)]
)
def test_vega_draws_whose_the_gains_are(methods: list[str], cells: int) -> None:
    frame = whose(methods, cells)
    tree = drawn(forest.forest(frame))
    assert set(frame["family"]) <= set(words(tree))


def test_gains_of_cells_come_as_the_statistics_give_them() -> None:
    results = pd.DataFrame(
        [("digits", "clean", "ce", 0, "off", 0.5), ("digits", "clean", "ce", 0, "lip", 0.6)],
        columns=["dataset", "noise", "method", "seed", "refiner", "test_accuracy"],
    )
    frame = gain_charts.gain_frame(by_cell(results), ["ce"], [("digits", "clean")], ["clean"])
    assert frame["gain"].tolist() == pytest.approx([10])
    assert frame["effect"].tolist() == ["gain"]
