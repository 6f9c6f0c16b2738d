"""Heads beside their twins: who is compared with whom, and what is averaged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.stats import twins


def head(noise: str, *, seed: int = 0, angle: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A head with two directions in three labels, turned by ``angle`` out of their plane."""
    right = np.array([[1.0, 0.0], [0.0, np.cos(angle)], [0.0, np.sin(angle)]])
    return {
        "dataset": "d",
        "noise": noise,
        "method": "m",
        "seed": seed,
        "head": 0,
        "kind": noise.split()[0],
        "rate": float(noise.split()[1]) if " " in noise else 0.0,
        "is_clean": noise == "clean",
        "values": [2.0, 1.0],
        "effective_rank": 1.5,
        "right": right,
        "ridge": None,
        **changes,
    }


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=twins.COLUMNS)


def test_a_head_is_compared_with_the_clean_one_of_its_own_seed() -> None:
    heads = frame(
        head("clean", seed=0, angle=0.0),
        head("clean", seed=1, angle=0.5),
        head("flip 0.2", seed=1, angle=0.5 + 0.3),
    )
    ((noisy, clean),) = twins.pairs(heads)
    assert (noisy["seed"], clean["seed"]) == (1, 1)
    assert twins.angles(heads)["sine"].tolist() == pytest.approx([0, math.sin(0.3)])


def test_a_head_without_a_twin_is_in_no_summary() -> None:
    heads = frame(head("clean", seed=0), head("flip 0.2", seed=1))
    assert twins.summary(heads).empty
    assert twins.similarity_map(heads).empty
    assert twins.angles(heads)["sine"].isna().all()


def test_the_summary_averages_seeds_at_the_rank_that_holds_the_energy() -> None:
    heads = frame(
        *(head("clean", seed=seed, values=[3.0, 1.2], effective_rank=1.2) for seed in (0, 1)),
        head("flip 0.2", seed=0, angle=0.2, rate=0.18, effective_rank=1.4),
        head("flip 0.2", seed=1, angle=0.4, rate=0.22, effective_rank=1.8),
    )
    (row,) = twins.summary(heads).to_dict("records")
    assert row["k"] == 2  # 9 of 10.44 is less than nine tenths
    assert row["seeds"] == 2
    assert row["rate"] == pytest.approx(0.2)
    assert (row["clean_effective_rank"], row["effective_rank"]) == (1.2, pytest.approx(1.6))
    cosines = [(1 + math.cos(a) ** 2) / 2 for a in (0.2, 0.4)]
    assert row["similarity"] == pytest.approx(sum(cosines) / 2)
    assert row["chance"] == pytest.approx(2 / 3)
    assert row["above_chance"] == pytest.approx((sum(cosines) / 2 - 2 / 3) / (1 / 3))
    assert row["sine"] == pytest.approx((math.sin(0.2) + math.sin(0.4)) / 2)
    assert math.isnan(row["ridge_sine"])


def test_the_map_holds_every_pair_of_ranks() -> None:
    found = twins.similarity_map(frame(head("clean"), head("flip 0.2", angle=math.pi / 2)))
    values = found.set_index(["i", "j"])["similarity"]
    assert values.to_dict() == pytest.approx({(1, 1): 1, (1, 2): 1, (2, 1): 1, (2, 2): 0.5})


def test_spectra_are_relative_to_the_largest_and_keep_the_clean_head() -> None:
    found = twins.spectra(frame(head("clean"), head("flip 0.2", values=[4.0, 1.0])))
    assert found["relative"].tolist() == [1, 0.5, 1, 0.25]
    assert found["is_clean"].tolist() == [True, True, False, False]


def test_an_unknown_noise_rate_stays_unknown() -> None:
    found = twins.ranks(frame(head("clean"), head("real", rate=math.nan)))
    assert found["rate"].isna().tolist() == [False, True]


def test_the_ridge_bound_is_taken_at_the_rank_of_the_true_ridge_head() -> None:
    ridge = {
        "penalty": 1.0,
        "sigma_max": 3.0,
        "lambda_min": 2.0,
        "label_change": 4.0,
        "true_values": [5.0, 0.1],
        "given_values": [4.0, 1.0],
        "sines": [0.25, 0.5],
    }
    (row,) = twins.summary(frame(head("clean"), head("flip 0.2", ridge=ridge))).to_dict("records")
    assert row["ridge_sine"] == 0.25
    assert row["ridge_bound"] == pytest.approx(3 * 2 / ((5 - 1) * (2 + 1)))


def test_missing_columns_and_doubled_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="right"):
        twins.summary(frame(head("clean")).drop(columns="right"))
    with pytest.raises(ValueError, match="twice"):
        twins.summary(frame(head("clean"), head("clean")))
