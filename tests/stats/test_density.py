"""What is missing of a board, by name."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from board_case import board, random_board
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats.density import density, require_complete
from bench.stats.leaderboard import cells, missing_cells

HOLED = cells(board(a=[[0.5], [0.6], [0.7]], b=[[0.4], [], [0.3]]))
PLAN = pd.DataFrame(
    [("digits", f"noise {n}", method) for method in "cba" for n in range(3)],
    columns=["dataset", "noise", "method"],
)


def names(frame: pd.DataFrame) -> list[str]:
    return [f"{row['method']}{row['noise'][-1]}" for row in frame.to_dict("records")]


def test_the_rectangle_of_methods_and_blocks_is_what_is_asked_for() -> None:
    found = density(HOLED)
    assert names(found.missing) == ["b1"]
    assert found.share == pytest.approx(5 / 6)


def test_common_blocks_are_those_that_every_method_has() -> None:
    assert density(HOLED).common == [("digits", "noise 0"), ("digits", "noise 2")]


def test_complete_methods_have_every_block() -> None:
    assert density(HOLED).complete == ["a"]


def test_a_plan_asks_for_methods_that_have_no_result_yet() -> None:
    found = density(HOLED, PLAN)
    assert names(found.missing) == ["c0", "c1", "c2", "b1"]
    assert found.share == pytest.approx(5 / 9)


def test_what_the_plan_left_out_of_the_rectangle_comes_last() -> None:
    found = density(HOLED, PLAN[PLAN["method"] == "c"])
    assert names(found.missing) == ["c0", "c1", "c2", "b1"]


def test_a_plan_with_a_row_a_seed_counts_each_cell_once() -> None:
    found = density(HOLED, pd.concat([PLAN, PLAN]))
    assert len(found.missing) == 4
    assert found.share == pytest.approx(5 / 9)


def test_a_plan_without_results_is_all_missing() -> None:
    found = density(cells(board()), PLAN)
    assert found.share == 0
    assert len(found.missing) == 9


def test_nothing_at_all_has_no_share() -> None:
    assert math.isnan(density(cells(board())).share)


def test_a_plan_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="asked for lack the columns"):
        density(HOLED, PLAN.drop(columns="noise"))


def test_a_complete_board_passes() -> None:
    require_complete(cells(random_board(0)))


def test_a_board_with_a_hole_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^1 cell is missing: b on digits, noise 1$"):
        require_complete(HOLED)


def test_more_than_twenty_holes_are_counted() -> None:
    holed = cells(board(a=[[0.5]] * 25, b=[[0.4]]))
    with pytest.raises(ValueError, match="24 cells are missing") as caught:
        require_complete(holed)
    assert str(caught.value).count("b on digits") == 20
    assert str(caught.value).endswith("; and 4 more")


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_missing_cells_are_those_without_a_row(seed: int) -> None:
    frame = random_board(seed, holes=0.3)
    wide = cells(frame).pivot(index=["dataset", "noise"], columns="method", values="mean")
    assert len(missing_cells(frame)) == int(wide.isna().to_numpy().sum())


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_categories_change_nothing(seed: int) -> None:
    frame = random_board(seed, holes=0.3)
    kinds = dict.fromkeys(["dataset", "noise", "method", "refiner"], "category")
    found, again = density(cells(frame)), density(cells(frame.astype(kinds)))
    pd.testing.assert_frame_equal(again.missing, found.missing)
    assert again.common == found.common
    assert np.isclose(again.share, found.share, equal_nan=True)
