"""The best k of every training, chosen by test labels: marked, and never below what was taken."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats.gains import overall
from bench.stats.oracle import oracle_gains

COLUMNS = ["dataset", "noise", "method", "seed", "refiner", "test_accuracy", "curve"]


def curve(tests: list[float]) -> str:
    return json.dumps([[k, 0.5, test] for k, test in enumerate(tests)])


def frame(*rows: tuple[str, int, str, float | None, Any]) -> pd.DataFrame:
    """Rows of (noise, seed, refiner, test accuracy, curve)."""
    return pd.DataFrame([("digits", n, "ce", *rest) for n, *rest in rows], columns=COLUMNS)


def test_the_best_k_of_each_training_is_averaged_over_seeds_and_then_over_cells() -> None:
    found = oracle_gains(
        frame(
            ("a", 0, "off", 0.50, "[]"),
            ("a", 0, "lip", 0.50, curve([0.30, 0.54, 0.50])),
            ("a", 1, "off", 0.60, "[]"),
            ("a", 1, "lip", 0.58, curve([0.58, 0.60])),
            ("b", 0, "off", 0.40, "[]"),
            ("b", 0, "lip", 0.40, curve([0.50, 0.40])),
        )
    )
    # Cell a: 4 and 0 points, mean 2; cell b: 10 points. Not the mean 14/3 of the three trainings.
    assert found.to_dict("records") == [
        {
            "refiner": "lip",
            "oracle": pytest.approx(0.06),
            "cells": 2,
            "trainings": 3,
            "lacking": 0,
        }
    ]


def test_a_refiner_without_a_rank_has_no_oracle() -> None:
    rows = frame(("a", 0, "off", 0.5, "[]"), ("a", 0, "recentre", 0.7, "[]"))
    assert oracle_gains(rows).empty


def test_trainings_without_a_curve_are_counted() -> None:
    found = oracle_gains(
        frame(
            ("a", 0, "off", 0.5, "[]"),
            ("a", 0, "lip", 0.5, curve([0.6])),
            ("b", 0, "off", 0.5, "[]"),
            ("b", 0, "lip", 0.9, "[]"),
        )
    ).iloc[0]
    assert (found["cells"], found["trainings"], found["lacking"]) == (1, 1, 1)
    assert found["oracle"] == pytest.approx(0.1)


def test_a_failed_evaluation_and_a_training_without_off_are_left_out() -> None:
    rows = frame(
        ("a", 0, "off", 0.5, "[]"),
        ("a", 0, "lip", None, curve([0.9])),
        ("b", 0, "lip", 0.5, curve([0.9])),
    )
    assert oracle_gains(rows).empty


def test_a_stored_curve_that_was_rounded_down_takes_nothing_away() -> None:
    rows = frame(("a", 0, "off", 0.5, "[]"), ("a", 0, "lip", 2 / 3, curve([0.6666666])))
    assert oracle_gains(rows)["oracle"].iloc[0] == 2 / 3 - 0.5


def test_curves_may_be_lists() -> None:
    rows = frame(("a", 0, "off", 0.5, []), ("a", 0, "lip", 0.5, [[1, None, 0.7]]))
    assert oracle_gains(rows)["oracle"].iloc[0] == pytest.approx(0.2)


def test_results_without_curves_are_refused() -> None:
    rows = frame(("a", 0, "off", 0.5, "[]")).drop(columns="curve")
    with pytest.raises(ValueError, match="curve"):
        oracle_gains(rows)


@settings(max_examples=12)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 3))
def test_no_rule_for_k_gains_more_than_the_oracle(seed: int, cells: int, seeds: int) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for cell in range(cells):
        for number in range(seeds):
            tests = rng.random(rng.integers(1, 6)).round(3).tolist()
            rows.append((f"n{cell}", number, "off", tests[-1], "[]"))
            rows.append((f"n{cell}", number, "lip", float(rng.choice(tests)), curve(tests)))
    results = frame(*rows)
    ceiling = float(oracle_gains(results)["oracle"].iloc[0])
    assert ceiling >= float(overall(results)["gain"].iloc[0]) - 1e-12
    assert ceiling >= -1e-12  # the last k is the trained head
    assert not math.isnan(ceiling)
