"""The golden leaderboard: real results whose every figure is pinned.

See ``make.py`` for what is in it and when it may be made anew.
"""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from golden_board import DATABASE, EXPECTED, PARTS, RANKINGS, SUITES
from golden_figures import boards_of

from bench.store.database import open_reader

PRECISION = 1e-8


def assert_same(now: Any, pinned: Any, place: str) -> None:
    """Equal texts and whole numbers, and figures that agree to eight digits behind the point."""
    if isinstance(pinned, dict):
        assert sorted(now) == sorted(pinned), place
        for key, value in pinned.items():
            assert_same(now[key], value, f"{place} / {key}")
    elif isinstance(pinned, list):
        assert len(now) == len(pinned), place
        for number, (one, other) in enumerate(zip(now, pinned, strict=True)):
            assert_same(one, other, f"{place} / {number}")
    elif isinstance(pinned, float):
        assert now == pytest.approx(pinned, rel=PRECISION, abs=PRECISION), place
    else:
        assert now == pinned, place


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("suite", SUITES)
def test_every_pinned_figure_is_as_it_was(
    found: dict[str, dict[str, Any]], suite: str, part: str
) -> None:
    assert_same(found[suite][part], EXPECTED[suite][part], f"{suite} / {part}")


def test_no_board_and_no_refiner_came_or_went(found: dict[str, dict[str, Any]]) -> None:
    assert {(s, r) for s, figures in found.items() for r in figures["rankings"]} == set(RANKINGS)


def test_reading_it_writes_nothing_beside_it(tmp_path: Path) -> None:
    copy = tmp_path / "leaderboard.db"
    shutil.copy(DATABASE, copy)
    before = copy.read_bytes()
    with closing(open_reader(copy)) as connection:
        boards_of(connection)
        assert [file.name for file in tmp_path.iterdir()] == ["leaderboard.db"]
    assert [file.name for file in tmp_path.iterdir()] == ["leaderboard.db"]
    assert copy.read_bytes() == before


def test_it_opens_from_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    shutil.copy(DATABASE, tmp_path / "leaderboard.db")
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with closing(open_reader(tmp_path / "leaderboard.db")) as connection:
            assert sorted(boards_of(connection)) == SUITES
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_reader_of_it_cannot_write(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM boards")


def test_it_stays_small() -> None:
    assert DATABASE.stat().st_size < 400_000
