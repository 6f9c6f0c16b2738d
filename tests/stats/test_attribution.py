"""Whose a gain is: frames made by hand whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats.attribution import (
    CONTROLS,
    Attribution,
    attribution,
    base,
    is_control,
    is_variant,
    verdict,
)
from bench.stats.gains import overall
from bench.stats.intervals import Interval

FAMILIES = {"ce": "loss", "elr": "regularisation"}
CONTROL_NAMES = list(CONTROLS)
STEADY = [0.04, 0.05, 0.06, 0.05, 0.04]
"""Gains of five cells that leave no doubt."""


def results(
    gains: Mapping[str, Sequence[float]], method: str = "ce", seeds: int = 2
) -> pd.DataFrame:
    """``results({"lip": [gain of cell 0, ...]})``: every seed of a cell gains the same."""
    rows = []
    cells = len(next(iter(gains.values())))
    for cell in range(cells):
        for seed in range(seeds):
            off = 0.5 + 0.01 * cell + 0.001 * seed
            key = ("digits", f"noise {cell}", method, seed)
            rows.append((*key, "off", off))
            rows += [(*key, name, off + gains[name][cell]) for name in gains]
    columns = ["dataset", "noise", "method", "seed", "refiner", "test_accuracy"]
    return pd.DataFrame(rows, columns=columns)


def only(found: Attribution, family: str = "loss", refiner: str = "lip") -> pd.Series:
    rows = found.verdicts
    (row,) = rows[(rows["family"] == family) & (rows["refiner"] == refiner)].iloc
    return row


def less(gains: Sequence[float], by: float) -> list[float]:
    return [gain - by for gain in gains]


def every_control(gains: Sequence[float]) -> dict[str, list[float]]:
    return {name: list(gains) for name in CONTROL_NAMES}


def test_a_gain_that_no_control_reaches_is_lips_own() -> None:
    frame = results({"lip": STEADY, **every_control(less(STEADY, 0.02))})
    row = only(attribution(frame, FAMILIES))
    assert row["verdict"] == "LIP's own"
    assert row["gain"] == pytest.approx(np.mean(STEADY))
    assert row["difference"] == pytest.approx(0.02)


@pytest.mark.parametrize("name", CONTROL_NAMES)
def test_one_control_that_gains_as_much_is_named(name: str) -> None:
    controls = every_control(less(STEADY, 0.02)) | {name: STEADY}
    row = only(attribution(results({"lip": STEADY, **controls}), FAMILIES))
    assert row["verdict"] == f"also by {name}"
    assert row["best_control"] == name
    assert row["difference"] == pytest.approx(0)


def test_a_control_that_gains_more_is_named_too() -> None:
    controls = every_control(less(STEADY, 0.02)) | {"ridge": less(STEADY, -0.03)}
    row = only(attribution(results({"lip": STEADY, **controls}), FAMILIES))
    assert row["verdict"] == "also by ridge"
    assert row["difference_high"] < 0


def test_every_setting_of_a_control_is_a_control() -> None:
    labels = ["tail-constant(factor=0.5)", "tail-constant"]
    controls = every_control(less(STEADY, 0.02)) | {labels[0]: STEADY}
    found = attribution(results({"lip": STEADY, **controls}), FAMILIES)
    assert only(found)["verdict"] == "also by tail-constant(factor=0.5)"
    assert set(labels) < set(found.beside["control"])


def test_controls_that_did_not_run_leave_the_question_open() -> None:
    frame = results({"lip": STEADY, "psp": less(STEADY, 0.02), "recentre": less(STEADY, 0.03)})
    row = only(attribution(frame, FAMILIES))
    assert row["verdict"] == "open: no tail-constant, ridge, random-basis"


def test_a_gain_without_any_control_is_never_lips_own() -> None:
    found = attribution(results({"lip": STEADY}), FAMILIES)
    assert only(found)["verdict"].startswith("open: no psp")
    assert only(found)["best_control"] == ""
    assert math.isnan(only(found)["difference"])
    assert found.beside.empty


def test_an_interval_that_holds_zero_is_no_gain_even_where_controls_do_worse() -> None:
    mixed = [0.05, -0.05, 0.04, -0.03, 0.01]
    frame = results({"lip": mixed, **every_control(less(mixed, 0.1))})
    assert only(attribution(frame, FAMILIES))["verdict"] == "no gain"


def test_an_interval_below_zero_is_harm_even_where_controls_harm_more() -> None:
    harm = [-gain for gain in STEADY]
    frame = results({"lip": harm, **every_control(less(harm, 0.1))})
    assert only(attribution(frame, FAMILIES))["verdict"] == "harm"


def test_two_cells_are_too_few_for_a_verdict() -> None:
    row = only(attribution(results({"lip": STEADY[:2], "psp": [0, 0]}), FAMILIES))
    assert row["verdict"] == "too few cells"
    assert row["gain"] == pytest.approx(np.mean(STEADY[:2]))
    assert math.isnan(row["low"])


def test_rounding_that_is_left_is_no_gain() -> None:
    frame = results({"lip": [3e-8] * 5, "psp": [0.0] * 5})
    row = only(attribution(frame, FAMILIES))
    assert row["verdict"] == "no gain"
    assert (row["low"], row["high"]) == (0, 0)


def test_a_control_is_compared_on_the_cells_that_both_have() -> None:
    # On its own cells 0..2 psp gains 0.03 less than lip; over all five lip's mean is another.
    lip, psp = [0.02, 0.02, 0.02, 0.20, 0.20], [-0.01, -0.01, -0.01, 0.0, 0.0]
    frame = results({"lip": lip, "psp": psp})
    later = frame["noise"].isin(["noise 3", "noise 4"])
    found = attribution(frame[~((frame["refiner"] == "psp") & later)], FAMILIES)
    (row,) = found.beside.to_dict("records")
    assert (row["cells"], row["unpaired"]) == (3, 4)
    assert row["gain"] == pytest.approx(0.02)
    assert row["control_gain"] == pytest.approx(-0.01)
    assert row["difference"] == pytest.approx(0.03)
    assert only(found)["cells"] == 5
    assert only(found)["gain"] == pytest.approx(np.mean(lip))
    assert only(found)["unpaired"] == 4


def test_seeds_are_paired_before_they_are_averaged() -> None:
    # Seed 0 of every cell lacks psp: lip's gain there must not be held against psp's seed 1.
    frame = results({"lip": STEADY, "psp": STEADY})
    first = (frame["refiner"] == "lip") & (frame["seed"] == 0)
    frame.loc[first, "test_accuracy"] += 0.3
    lost = (frame["refiner"] == "psp") & (frame["seed"] == 0)
    (row,) = attribution(frame[~lost], FAMILIES).beside.to_dict("records")
    assert row["difference"] == pytest.approx(0)
    assert row["unpaired"] == 5


def test_a_failed_control_is_counted_and_is_no_zero() -> None:
    frame = results({"lip": STEADY, "psp": less(STEADY, 0.01)})
    failed = (frame["refiner"] == "psp") & (frame["noise"] == "noise 0")
    frame.loc[failed, "test_accuracy"] = np.nan
    (row,) = attribution(frame, FAMILIES).beside.to_dict("records")
    assert (row["cells"], row["unpaired"]) == (4, 2)
    assert row["control_gain"] == pytest.approx(np.mean(STEADY[1:]) - 0.01)


def test_a_control_with_two_cells_in_common_leaves_the_question_open() -> None:
    frame = results({"lip": STEADY, **every_control(less(STEADY, 0.02))})
    late = frame["noise"].isin(["noise 2", "noise 3", "noise 4"])
    found = attribution(frame[~((frame["refiner"] == "ridge") & late)], FAMILIES)
    assert only(found)["verdict"] == "open: no ridge"


def test_families_are_judged_apart_and_together() -> None:
    harm = [-gain for gain in STEADY]
    frame = pd.concat(
        [
            results({"lip": STEADY, **every_control(less(STEADY, 0.02))}),
            results({"lip": harm, **every_control(less(harm, 0.02))}, method="elr"),
        ]
    )
    found = attribution(frame, FAMILIES)
    assert dict(zip(found.verdicts["family"], found.verdicts["verdict"], strict=True)) == {
        "all methods": "no gain",
        "loss": "LIP's own",
        "regularisation": "harm",
    }


def test_one_family_is_not_shown_twice() -> None:
    found = attribution(results({"lip": STEADY, "psp": STEADY}), FAMILIES)
    assert found.verdicts["family"].tolist() == ["loss"]


def test_all_methods_have_the_very_figures_of_the_table_of_gains() -> None:
    rng = np.random.default_rng(0)
    frame = pd.concat(
        [
            results({"lip": rng.normal(0, 0.05, 6), "psp": rng.normal(0, 0.05, 6)}, method)
            for method in FAMILIES
        ]
    )
    row = overall(frame).set_index("refiner").loc["lip"]
    found = only(attribution(frame, FAMILIES), "all methods")
    columns = ["gain", "low", "high"]
    assert found[columns].tolist() == pytest.approx(row[columns].tolist(), abs=1e-12)


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_the_interval_of_the_difference_agrees_with_scipys_paired_bootstrap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lip, psp = rng.normal(0.02, 0.05, (2, 12))
    (row,) = attribution(results({"lip": lip, "psp": psp}), FAMILIES).beside.to_dict("records")
    reference = scipy.stats.bootstrap(
        (lip, psp),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        paired=True,
        n_resamples=10_000,
        method="percentile",
        rng=1,
    ).confidence_interval
    assert row["difference"] == pytest.approx(np.mean(lip - psp))
    assert row["difference_low"] == pytest.approx(reference.low, abs=4e-3)
    assert row["difference_high"] == pytest.approx(reference.high, abs=4e-3)


@given(st.randoms(use_true_random=False))
@settings(max_examples=5)
def test_means_do_not_depend_on_the_order_of_rows(random: object) -> None:
    frame = results({"lip": STEADY, "psp": less(STEADY, 0.02)})
    order = list(range(len(frame)))
    random.shuffle(order)  # type: ignore[attr-defined]
    row = only(attribution(frame.iloc[order], FAMILIES))
    assert row["gain"] == pytest.approx(np.mean(STEADY))
    assert row["difference"] == pytest.approx(0.02)


def test_lip_and_its_variants_are_told_from_controls_and_strangers() -> None:
    variants = ["lip", "lip-calibrated", "lip(k=energy:0.9)", "lip-crossfit(k=fixed:2)"]
    assert [is_variant(label) for label in variants] == [True] * 4
    assert not any(is_variant(label) for label in [*CONTROLS, "off", "lipschitz"])
    assert is_control("tail-constant(factor=0.5)")
    assert not any(is_control(label) for label in [*variants, "off", "mine"])


def test_a_refiner_that_is_neither_is_left_alone() -> None:
    found = attribution(results({"lip": STEADY, "mine": STEADY, "psp": STEADY}), FAMILIES)
    assert set(found.verdicts["refiner"]) == {"lip"}
    assert set(found.beside["control"]) == {"psp"}


def test_every_shipped_control_is_known_by_name(registry: object) -> None:
    shipped = {info.name for info in registry.all("refiner")}  # type: ignore[attr-defined]
    assert set(CONTROLS) <= shipped
    assert {name for name in shipped if not is_variant(name)} == {"off", *CONTROLS}


def test_a_method_without_a_family_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no family is known of the method 'ce'"):
        attribution(results({"lip": STEADY}), {"elr": "loss"})


def test_a_frame_that_is_not_tidy_is_refused() -> None:
    with pytest.raises(ValueError, match="lack the columns"):
        attribution(results({"lip": STEADY}).drop(columns="seed"), FAMILIES)


def test_nothing_to_judge_is_an_empty_table_with_all_columns() -> None:
    found = attribution(results({"psp": STEADY}), FAMILIES)
    assert found.verdicts.empty
    assert "verdict" in found.verdicts
    assert found.beside.empty


@given(
    low=st.floats(-0.1, 0.1),
    width=st.floats(0, 0.1),
    bounds=st.dictionaries(st.sampled_from(CONTROL_NAMES), st.floats(-0.1, 0.1)),
)
def test_the_verdict_follows_its_rule(low: float, width: float, bounds: dict[str, float]) -> None:
    found = verdict(Interval(low + width / 2, low, low + width, 5), bounds)
    if low + width < 0:
        assert found == "harm"
    elif low <= 0:
        assert found == "no gain"
    elif any(bound <= 0 for bound in bounds.values()):
        assert found.startswith("also by ")
        assert found.removeprefix("also by ").split(", ") == [
            n for n, b in bounds.items() if b <= 0
        ]
    else:
        assert (found == "LIP's own") == (set(bounds) == set(CONTROLS))
        assert found == "LIP's own" or found.startswith("open: no ")


def test_the_base_of_a_label_is_the_refiners_name() -> None:
    assert [base(x) for x in ("lip", "lip(k=fixed:2)")] == ["lip", "lip"]
