"""Whose the gains are: the section, its chart, its table, and the oracle beside the gains."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from bench.records import Evaluation, Outcome
from bench.report.forest import forest, forest_frame
from bench.report.ink import DARK, LIGHT, Ink
from bench.stats.attribution import CONTROLS, attribution
from bench.training_spec import TrainingSpec
from dashboard import attribution as section
from dashboard.attribution_table import attribution_table

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]
Make = Callable[..., Path]
Synthetic = tuple[Callable[[TrainingSpec], Outcome], Callable[..., Outcome]]

SUITE = """
suite: controlled
title: LIP beside its controls
datasets: [digits]
noises: [clean, {symmetric: {rate: 0.5}}, {pairflip: {rate: 0.45}}]
methods: [ce, gce, co-teaching]
refiners: REFINERS
seeds: SEEDS
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 12, batch_size: 256}
"""
ALL = "[off, lip, lip-calibrated, psp, tail-constant, recentre, ridge, random-basis]"

GAINS = {"lip": 0.02, "lip-calibrated": -0.01, "psp": 0.005, "ridge": 0.01}
"""Of every training, plus what differs a little between noises."""
BEST = 0.03
"""What the best k would gain, by test labels."""


def moved(evaluation: Evaluation, gain: float, off: float) -> Evaluation:
    """The evaluation with another gain, the same at k = 4 of its curve, and a better k = 7."""
    curve = tuple(
        replace(p, test_accuracy=off + (BEST if p.k == 7 else gain if p.k == 4 else 0.0))
        for p in evaluation.curve
    )
    return replace(evaluation, test_accuracy=off + gain, curve=curve)


@pytest.fixture(scope="module")
def kept() -> dict[str, Path]:
    """Databases that several tests look at."""
    return {}


@pytest.fixture
def make_controlled(
    make_database: Make, write_synthetic: Synthetic, kept: dict[str, Path]
) -> Callable[..., Path]:
    """``make_controlled(gains, refiners=ALL)``: each refiner gains what is said, about."""
    done, _ = write_synthetic

    def make(gains: Mapping[str, float] = GAINS, refiners: str = ALL) -> Path:
        def fate(spec: TrainingSpec) -> Outcome:
            outcome = done(spec)
            off = next(e.test_accuracy for e in outcome.evaluations if e.label == "off")
            shift = {"clean": 0.0, "symmetric": 0.001, "pairflip": 0.002}[spec.noise.name]
            evaluations = tuple(
                e if e.label == "off" else moved(e, gains.get(e.label, 0.0) + shift, off)
                for e in outcome.evaluations
            )
            return replace(outcome, evaluations=evaluations)

        key = repr((gains, refiners))
        if key not in kept:
            kept[key] = make_database(fate, seeds=1, suite=SUITE.replace("REFINERS", refiners))
        return kept[key]

    return make


def table_with(at: AppTest, *columns: str) -> Any:
    """The one table of the page that has these columns."""
    (found,) = [d for d in at.dataframe if {*columns} <= {*d.value.columns}]
    return found


def section_table(at: AppTest) -> pd.DataFrame:
    """The table of the section."""
    found: pd.DataFrame = table_with(at, "family", "verdict").value
    return found


def summary(at: AppTest) -> pd.DataFrame:
    """The table of all refiners."""
    found: pd.DataFrame = table_with(at, "refiner", "wins", "where").value
    return found


def test_a_gain_that_beats_every_control_is_called_lips_own(
    visit: Visit, said: Said, make_controlled: Callable[..., Path]
) -> None:
    at = visit(make_controlled(), "gains")
    text = said(at)
    assert "Is it LIP, or would a control have done?" in text
    assert (
        "**lip** over all methods: +2.10 points over 9 cells, and **the gain is LIP's own**: it "
        "beats every control. It is LIP's own in loss and selection." in text
    )
    shown = section_table(at)
    assert list(zip(shown["family"], shown["refiner"], shown["verdict"], strict=True)) == [
        ("all methods", "lip", "LIP's own"),
        ("all methods", "lip-calibrated", "harm"),
        ("loss", "lip", "LIP's own"),
        ("loss", "lip-calibrated", "harm"),
        ("selection", "lip", "LIP's own"),
        ("selection", "lip-calibrated", "harm"),
    ]


def test_the_section_follows_the_refiner_that_is_chosen(
    visit: Visit, said: Said, make_controlled: Callable[..., Path]
) -> None:
    path = make_controlled()
    assert "**lip-calibrated** over all methods: −0.90 points over 9 cells, which is **harm**" in (
        said(visit(path, "gains", gain="lip-calibrated"))
    )
    # A control explains; it is not explained.
    assert "**lip** over all methods" in said(visit(path, "gains", gain="psp"))


def test_a_control_that_does_as_well_is_said_in_words(
    visit: Visit, said: Said, make_controlled: Callable[..., Path]
) -> None:
    at = visit(make_controlled({**GAINS, "ridge": 0.02}), "gains")
    assert "**not shown to be LIP's own**: no clear difference to ridge." in said(at)
    assert section_table(at)["verdict"][0] == "also by ridge"


def test_controls_that_did_not_run_are_named(
    visit: Visit, said: Said, make_controlled: Callable[..., Path]
) -> None:
    at = visit(make_controlled(refiners="[off, lip, psp, recentre]"), "gains")
    assert "not compared with tail-constant, ridge, random-basis." in said(at)


def test_a_board_without_lip_has_no_such_section(
    visit: Visit, said: Said, make_controlled: Callable[..., Path]
) -> None:
    at = visit(make_controlled(refiners="[off, psp]"), "gains")
    assert "Is it LIP" not in said(at)
    assert not [d for d in at.dataframe if "verdict" in d.value]


def test_every_column_of_the_table_explains_itself(
    visit: Visit, make_controlled: Callable[..., Path]
) -> None:
    at = visit(make_controlled(), "gains")
    columns = json.loads(table_with(at, "verdict").proto.columns)
    assert not [name for name in section_table(at) if not columns[name].get("help")]
    labels = [columns[f"control{i}"]["label"] for i in range(len(CONTROLS))]
    assert labels == list(CONTROLS)


def test_the_oracle_is_marked_kept_in_the_url_and_changes_nothing_else(
    visit: Visit, said: Said, make_controlled: Callable[..., Path]
) -> None:
    path = make_controlled()
    at = visit(path, "gains")
    before = summary(at)
    assert "oracle" not in before
    at.toggle(key="oracle_k").set_value(True).run()
    shown = summary(at)
    assert list(shown.columns) == [*before.columns, "oracle"]
    pd.testing.assert_frame_equal(shown[before.columns], before)
    ranked = shown["refiner"] != "recentre"
    assert shown.loc[ranked & (shown["refiner"] != "ridge"), "oracle"].tolist() == pytest.approx(
        [BEST] * 5, abs=1e-6
    )
    column = json.loads(table_with(at, "refiner", "where").proto.columns)["oracle"]
    assert column["label"] == "oracle k*, not ranked"
    assert "uses test labels" in column["help"]
    assert "The oracle chose its k by test labels: it is no result, and is not ranked." in said(at)
    linked = visit(path, "gains", oracle_k="true")
    pd.testing.assert_frame_equal(summary(linked), shown)


def test_a_board_without_any_k_offers_no_oracle(
    visit: Visit, make_database: Make, write_synthetic: Synthetic
) -> None:
    done, _ = write_synthetic

    def fate(spec: TrainingSpec) -> Outcome:
        outcome = done(spec)
        plain = tuple(replace(e, k=None, curve=()) for e in outcome.evaluations)
        return replace(outcome, evaluations=plain)

    path = make_database(fate, seeds=1, suite=SUITE.replace("REFINERS", "[off, recentre]"))
    assert not [toggle for toggle in visit(path, "gains").toggle if toggle.key == "oracle_k"]


def found(without: str = "") -> Any:
    """Two families, three cells each; ``without`` is a control that lacks one of them."""
    rows = []
    for method in ("ce", "elr"):
        for number in range(3):
            key = ("digits", f"n{number}", method, 0)
            rows.append((*key, "off", 0.5))
            for name, gain in {"lip": 0.02, "psp": 0.01, "ridge": 0.03}.items():
                if name != without or number:
                    rows.append((*key, name, 0.5 + gain + number / 1000))
    columns = ["dataset", "noise", "method", "seed", "refiner", "test_accuracy"]
    frame = pd.DataFrame(rows, columns=columns)
    return attribution(frame, {"ce": "loss", "elr": "regularisation"})


def test_the_chart_has_lip_first_and_every_control_in_every_family() -> None:
    frame = forest_frame(found(), "lip")
    assert frame["family"].unique().tolist() == ["all methods", "loss", "regularisation"]
    assert frame["refiner"].tolist() == ["lip", "psp", "ridge"] * 3
    assert frame["gain"].tolist()[:3] == pytest.approx([2.1, 1.1, 3.1])
    assert (frame["low"] <= frame["gain"]).all()
    assert (frame["gain"] <= frame["high"]).all()


@pytest.mark.parametrize("ink", [LIGHT, DARK])
def test_the_chart_tells_refiners_apart_by_shape_and_lip_by_colour(ink: Ink) -> None:
    spec = forest(forest_frame(found(), "lip"), ink).to_dict()
    _, spans, marks = spec["layer"]
    shapes = marks["encoding"]["shape"]["scale"]
    assert shapes["domain"] == ["lip", "psp", "ridge"]
    assert shapes["range"][0] == "circle"
    assert len(set(shapes["range"])) == 3
    assert marks["encoding"]["color"]["scale"]["range"] == [ink.accent, ink.text, ink.text]
    assert spans["encoding"]["x"]["field"] == "low"
    assert spans["encoding"]["x2"]["field"] == "high"
    assert marks["encoding"]["yOffset"]["sort"] == ["lip", "psp", "ridge"]


def test_a_control_on_fewer_cells_says_so_and_has_no_bar_below_three() -> None:
    fewer = found(without="psp")
    frame = forest_frame(fewer, "lip").set_index(["family", "refiner"])
    assert frame.loc[("loss", "psp"), "cells"] == 2
    assert math.isnan(frame.loc[("loss", "psp"), "low"])
    shown = attribution_table(fewer)
    assert str(shown.frame.data["control0"][1]) == "+1.15 (2 cells)"
    assert shown.frame.data["unpaired"].tolist() == [2, 1, 1]


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("too few cells", "show nothing either way"),
        ("harm", "which is **harm**"),
        ("no gain", "which is **no gain**"),
        ("LIP's own", "**the gain is LIP's own**"),
        ("also by psp, ridge", "no clear difference to psp, ridge"),
        ("open: no ridge", "not compared with ridge"),
    ],
)
def test_each_verdict_is_a_sentence(verdict: str, words: str) -> None:
    judged = found()
    rows = judged.verdicts.assign(verdict=verdict)
    assert words in section.answer(judged._replace(verdicts=rows), "lip")
