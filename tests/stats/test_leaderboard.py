"""The leaderboard: holes, order and what must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from board_case import board, random_board, shuffled
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats.intervals import bootstrap, student
from bench.stats.leaderboard import cells, leaderboard, leaderboard_of

HOLED = board(strong=[[0.8], [0.7], [0.9]], weak=[[0.4], [0.5], [0.3]], lucky=[[0.9], [], [0.95]])
SEEDS = st.integers(0, 10_000)


def by_name(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index("method").sort_index()


def test_a_method_with_a_hole_is_listed_without_a_rank() -> None:
    found = by_name(leaderboard(HOLED))
    assert found["rank"].isna().to_dict() == {"lucky": True, "strong": False, "weak": False}


def test_common_blocks_rank_every_method() -> None:
    found = by_name(leaderboard(HOLED, holes="common"))
    assert found["rank"].to_dict() == {"lucky": 1, "strong": 2, "weak": 3}
    assert found["ranked_over"].tolist() == [2, 2, 2]


def test_common_blocks_do_not_make_a_method_complete() -> None:
    found = by_name(leaderboard(HOLED, holes="common"))
    assert found["complete"].to_dict() == {"lucky": False, "strong": True, "weak": True}
    assert found["cells"].to_dict() == {"lucky": 2, "strong": 3, "weak": 3}


def test_without_a_common_block_nobody_is_ranked() -> None:
    found = leaderboard(board(a=[[0.5], []], b=[[], [0.5]]), holes="common")
    assert found["rank"].isna().all()
    assert found["mean"].isna().all()


def test_another_treatment_of_holes_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 'all' or 'common', and not 'mean'"):
        leaderboard(HOLED, holes="mean")


def test_the_frame_of_cells_gives_the_same_board() -> None:
    pd.testing.assert_frame_equal(leaderboard_of(cells(HOLED)), leaderboard(HOLED))


def test_cells_that_were_not_averaged_are_refused() -> None:
    found = cells(HOLED)
    with pytest.raises(ValueError, match="there twice"):
        leaderboard_of(pd.concat([found, found.head(1)]))


def test_a_cell_without_a_mean_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells have no mean"):
        leaderboard_of(cells(HOLED).assign(mean=[np.nan, *[0.5] * 7]))


def test_means_that_differ_in_their_last_bits_only_are_tied() -> None:
    found = leaderboard(board(a=[[0.1, 0.7, 0.3]], b=[[0.3, 0.1, 0.7]]))
    assert found["rank"].tolist() == [1.5, 1.5]


def test_intervals_over_seeds_are_those_of_one_cell_alone() -> None:
    frame = random_board(3, seeds=5, holes=0.2)
    values = frame.groupby(["dataset", "noise", "method"], sort=False)["test_accuracy"].agg(list)
    alone = [student(seeds) for seeds in values]
    found = cells(frame)
    assert found["low"].tolist() == pytest.approx([one.low for one in alone], abs=1e-12)
    assert found["high"].tolist() == pytest.approx([one.high for one in alone], abs=1e-12)


def test_intervals_over_cells_are_those_of_one_method_alone() -> None:
    found = by_name(leaderboard(random_board(3, blocks=8)))
    means = cells(random_board(3, blocks=8)).sort_values(["dataset", "noise"], kind="stable")
    for method, group in means.groupby("method"):
        alone = bootstrap(group["mean"].tolist())
        assert found.loc[method, ["low", "high"]].tolist() == pytest.approx([alone.low, alone.high])


@settings(max_examples=20)
@given(SEEDS, SEEDS)
def test_the_order_of_rows_changes_nothing(seed: int, order: int) -> None:
    frame = random_board(seed, holes=0.1)
    found = by_name(leaderboard(shuffled(frame, order)))
    pd.testing.assert_frame_equal(found, by_name(leaderboard(frame)), atol=1e-12)


@settings(max_examples=20)
@given(SEEDS)
def test_the_numbers_of_seeds_change_nothing(seed: int) -> None:
    frame = random_board(seed)
    renamed = frame.assign(seed=frame["seed"].map({0: 2, 1: 0, 2: 1}))
    pd.testing.assert_frame_equal(leaderboard(renamed), leaderboard(frame))


@settings(max_examples=20)
@given(SEEDS)
def test_ranks_do_not_depend_on_the_scale(seed: int) -> None:
    frame = random_board(seed)
    halved = frame.assign(test_accuracy=frame["test_accuracy"] / 2)
    assert by_name(leaderboard(halved))["rank"].tolist() == pytest.approx(
        by_name(leaderboard(frame))["rank"].tolist()
    )


@settings(max_examples=20)
@given(SEEDS, st.integers(0, 23))
def test_a_lost_cell_never_raises_a_mean(seed: int, lost: int) -> None:
    frame = random_board(seed, seeds=1)
    before = by_name(leaderboard(frame))["mean"]
    after = by_name(leaderboard(frame.drop(index=lost)))["mean"]
    assert not (after > before + 1e-12).any()


@settings(max_examples=20)
@given(SEEDS, st.integers(0, 23))
def test_a_lost_cell_leaves_the_means_of_others_alone(seed: int, lost: int) -> None:
    frame = random_board(seed, seeds=1)
    others = [m for m in frame["method"].unique() if m != frame.loc[lost, "method"]]
    before = by_name(leaderboard(frame)).loc[others, "mean"]
    after = by_name(leaderboard(frame.drop(index=lost))).loc[others, "mean"]
    assert after.tolist() == pytest.approx(before.tolist(), abs=1e-12)


@settings(max_examples=20)
@given(SEEDS)
def test_common_cells_are_what_is_left_when_blocks_with_holes_are_dropped(seed: int) -> None:
    frame = random_board(seed, methods=3, blocks=8, holes=0.15)
    names = frame["method"].nunique()
    block = frame.groupby(["dataset", "noise"])["method"].transform("nunique")
    dropped = frame[block == names]
    found = by_name(leaderboard(frame, holes="common"))
    if dropped.empty:
        assert found["rank"].isna().all()
    else:
        columns = ["rank", "mean", "low", "high"]
        expected = by_name(leaderboard(dropped))[columns]
        pd.testing.assert_frame_equal(found[columns], expected, atol=1e-12)
