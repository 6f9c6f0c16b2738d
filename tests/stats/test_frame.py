"""What the tidy frame is checked for, and how its rows are grouped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from board_case import board, random_board
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.frame import validate
from bench.stats.groups import codes, number

COLUMNS = ["dataset", "noise", "method", "refiner"]


def test_a_tidy_frame_comes_back_as_it_is() -> None:
    frame = random_board(0)
    pd.testing.assert_frame_equal(validate(frame), frame)


def test_rows_without_a_result_are_left_out() -> None:
    frame = board(ce=[[0.5, 0.7]])
    frame.loc[0, "test_accuracy"] = None
    assert validate(frame)["seed"].tolist() == [1]


def test_the_first_repeated_run_is_named() -> None:
    frame = board(ce=[[0.5, 0.7]], elr=[[0.1, 0.2]])
    with pytest.raises(ValueError, match="elr on digits, noise 0, seed 1, refiner off"):
        validate(pd.concat([frame, frame.iloc[[3, 0]]]))


def test_other_columns_are_dropped() -> None:
    assert "curve" not in validate(board(ce=[[0.5]]).assign(curve="[]"))


def test_the_frame_that_was_given_is_left_alone() -> None:
    frame = board(ce=[[1, 0]]).astype({"test_accuracy": object})
    validate(frame)
    assert frame["test_accuracy"].dtype == object


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=30))
def test_groups_are_numbered_as_pandas_numbers_them(rows: list[tuple[int, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["x", "y"])
    found = number([codes(frame["x"]), codes(frame["y"])])
    assert found.number.tolist() == frame.groupby(["x", "y"], sort=False).ngroup().tolist()


def test_groups_of_keys_that_overflow_are_numbered_too() -> None:
    wide = np.array([2**40, 5, 2**40, 7])
    assert number([wide, wide]).number.tolist() == [0, 1, 0, 2]


def test_the_first_row_of_every_group_is_known() -> None:
    assert number([np.array([4, 4, 1, 4, 0, 1])]).first.tolist() == [0, 2, 4]


def test_categories_are_numbered_like_what_they_stand_for() -> None:
    frame = random_board(1, holes=0.3)
    plain = number([codes(frame[column]) for column in COLUMNS])
    categories = frame.astype(dict.fromkeys(COLUMNS, "category"))
    found = number([codes(categories[column]) for column in COLUMNS])
    assert found.number.tolist() == plain.number.tolist()


def test_groups_of_equal_size_are_matrices() -> None:
    groups = number([np.array([0, 1, 0, 2, 2])])
    found = {
        tuple(members): values.tolist()
        for members, (values,) in groups.by_size(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    }
    assert found == {(1,): [[2.0]], (0, 2): [[1.0, 3.0], [4.0, 5.0]]}
