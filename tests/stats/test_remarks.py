"""Too few, in words."""

from __future__ import annotations

import pandas as pd
import pytest
from board_case import board, random_board

from bench.stats.leaderboard import cells
from bench.stats.ranks import block_table
from bench.stats.remarks import remarks


def said(frame: pd.DataFrame) -> str:
    found = cells(frame)
    return " ".join(remarks(found, block_table(found)))


def test_where_nothing_is_too_few_nothing_is_said() -> None:
    assert said(random_board(0, methods=4, blocks=12, seeds=3)) == ""


def test_nothing_is_said_of_nothing() -> None:
    assert said(board()) == ""


def test_cells_with_fewer_than_three_seeds_are_counted() -> None:
    frame = board(a=[[0.1, 0.2], [0.1, 0.2, 0.3]], b=[[0.1, 0.2, 0.3]] * 2)
    assert "1 of 4 cells has fewer than three seeds" in said(frame)
    assert "one seed" not in said(frame)


def test_cells_with_one_seed_have_no_interval() -> None:
    assert "All cells have one seed only" in said(random_board(0, blocks=12, seeds=1))


@pytest.mark.parametrize(
    ("blocks", "sentence"),
    [
        (2, "2 blocks only: too few for an interval"),
        (5, "With 5 blocks no Wilcoxon test is made"),
        (10, "With 10 blocks Friedman's chi-square is poorly approximated"),
    ],
)
def test_a_number_of_blocks_is_too_few(blocks: int, sentence: str) -> None:
    assert sentence in said(random_board(0, blocks=blocks))
    assert sentence.replace(str(blocks), str(blocks + 1)) not in said(
        random_board(0, blocks=blocks + 1)
    )


def test_two_methods_need_wilcoxon() -> None:
    found = said(random_board(0, methods=2, blocks=12))
    assert "Friedman's test needs three" in found
    assert "chi-square" not in found


def test_blocks_of_one_data_set_are_less_independent() -> None:
    frame = random_board(0, blocks=12).assign(dataset="digits", noise=lambda f: f["noise"])
    frame = frame.drop_duplicates(["noise", "method", "seed"])
    assert "All blocks are of one data set" in said(frame)


def test_a_board_on_which_nobody_can_be_ranked_says_so() -> None:
    assert "No method can be ranked" in said(board(a=[[0.5], []], b=[[], [0.5]]))
