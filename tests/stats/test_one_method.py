"""One method against the others, block by block."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from bench.stats.intervals import student
from bench.stats.one_method import beside_best, cost_ratio, with_interval


def cells(means: dict[tuple[str, str], float]) -> pd.DataFrame:
    """Cells of (method, noise)."""
    rows = [
        ["digits", noise, method, 3, mean, mean - 0.1, mean + 0.1]
        for (method, noise), mean in means.items()
    ]
    return pd.DataFrame(
        rows, columns=["dataset", "noise", "method", "seeds", "mean", "low", "high"]
    )


@pytest.mark.parametrize(
    "seeds", [[0.9], [0.9, 0.9, 0.9], [0.93, 0.88, 0.95], list(np.linspace(0.1, 0.9, 10))]
)
def test_intervals_from_sums_equal_those_from_seeds(seeds: list[float]) -> None:
    values = np.asarray(seeds)
    frame = pd.DataFrame(
        {"seeds": [len(values)], "mean": [values.mean()], "square": [np.square(values).mean()]}
    )
    (row,) = with_interval(frame).to_dict("records")
    expected = student(seeds)
    assert row["mean"] == pytest.approx(expected.mean)
    assert row["low"] == pytest.approx(expected.low, abs=1e-7, nan_ok=True)
    assert row["high"] == pytest.approx(expected.high, abs=1e-7, nan_ok=True)
    assert "square" not in row


def test_the_best_is_named_and_the_way_to_it_measured() -> None:
    found = beside_best(
        cells(
            {("a", "n"): 0.9, ("b", "n"): 0.8, ("c", "n"): 0.5, ("a", "m"): 0.4, ("b", "m"): 0.6}
        ),
        "b",
    ).set_index("noise")
    assert found.loc["n", ["rank", "of", "best_method"]].tolist() == [2, 3, "a"]
    assert found.loc["n", ["best", "median"]].tolist() == [0.9, 0.8]
    assert found.loc["n", "behind"] == pytest.approx(-0.1)
    assert found.loc["m", ["rank", "of", "best_method", "behind"]].tolist() == [1, 2, "b", 0]


def test_who_shares_the_lead_is_best_and_shares_the_rank() -> None:
    frame = cells({("a", "n"): 0.9, ("b", "n"): 0.9, ("c", "n"): 0.1})
    for method in ("a", "b"):
        (row,) = beside_best(frame, method).to_dict("records")
        assert (row["best_method"], row["rank"], row["behind"]) == (method, 1.5, 0)
    assert beside_best(frame, "c")["best_method"].tolist() == ["a"]


def test_a_block_without_the_method_has_no_row() -> None:
    frame = cells({("a", "n"): 0.9, ("b", "m"): 0.8})
    assert beside_best(frame, "a")["noise"].tolist() == ["n"]
    assert beside_best(frame, "z").empty


def test_cost_is_compared_on_shared_blocks_only() -> None:
    rows = [
        ["digits", "n", "ce", 2.0],
        ["large", "n", "ce", 200.0],
        ["digits", "n", "two", 4.0],
        ["other", "n", "two", 900.0],
        ["far", "n", "three", 1.0],
    ]
    costs = pd.DataFrame(rows, columns=["dataset", "noise", "method", "train_s"])
    assert cost_ratio(costs, "two", "ce") == 2.0
    assert math.isnan(cost_ratio(costs, "three", "ce"))
    assert math.isnan(cost_ratio(costs, "two", "absent"))
