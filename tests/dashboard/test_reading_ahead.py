"""What pages read is read once, whoever asks, and before anybody asks."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from bench.store.database import open_reader
from dashboard import ahead, snapshot
from dashboard.ahead import Ahead
from dashboard.data import Ranking, boards, stamp
from dashboard.kept import kept


def test_who_asks_for_what_another_works_out_waits_for_it() -> None:
    calls = []

    @kept(4)
    def slow(number: int) -> int:
        calls.append(number)
        time.sleep(0.1)
        return 2 * number

    given: list[int] = []
    threads = [threading.Thread(target=lambda: given.append(slow(3))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given == [6, 6, 6, 6]
    assert calls == [3]


def test_only_the_latest_calls_are_kept() -> None:
    calls = []

    @kept(2)
    def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    for number in (1, 2, 1, 3, 1, 2):
        assert double(number) == 2 * number
    assert calls == [1, 2, 3, 2]


def test_a_failure_is_told_and_tried_again() -> None:
    calls = []

    @kept(2)
    def fails_once() -> str:
        calls.append("called")
        if len(calls) == 1:
            raise OSError("busy")
        return "well"

    with pytest.raises(OSError, match="busy"):
        fails_once()
    assert fails_once() == "well"


def test_a_kept_frame_does_not_change_with_a_copy_of_it() -> None:
    @kept(2)
    def frame() -> pd.DataFrame:
        return pd.DataFrame({"a": [1, 2]})

    mine = frame()
    mine["b"] = 0
    mine.loc[0, "a"] = 9
    assert frame().to_dict("list") == {"a": [1, 2]}


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def working(monkeypatch: pytest.MonkeyPatch) -> Ahead:
    """One that has begun, and begins with a wish at once."""
    monkeypatch.setattr(ahead, "QUIET_S", 0.0)
    found = Ahead()
    found.start()
    return found


def test_wishes_wait_while_a_page_is_made(working: Ahead) -> None:
    done: list[str] = []
    with working.page():
        working.wish(partial(done.append, name) for name in ("one", "two"))
        time.sleep(0.2)
        assert done == []
    assert eventually(lambda: done == ["one", "two"])


def test_a_page_comes_before_the_next_part_of_a_wish(working: Ahead) -> None:
    done: list[str] = []
    began, may_end = threading.Event(), threading.Event()

    def first() -> None:
        began.set()
        may_end.wait(10)
        done.append("first part")

    working.wish([first, partial(done.append, "second part")])
    assert began.wait(10)
    with working.page():
        may_end.set()
        assert eventually(lambda: done == ["first part"])
        time.sleep(0.2)
        done.append("page")
    assert eventually(lambda: done == ["first part", "page", "second part"])


def test_a_new_wish_takes_the_place_of_what_is_left(working: Ahead) -> None:
    done: list[str] = []
    with working.page():
        working.wish([partial(done.append, "old")])
        working.wish([partial(done.append, "new")])
    assert eventually(lambda: done == ["new"])


def test_a_part_that_fails_stops_no_other(working: Ahead) -> None:
    done: list[str] = []
    working.wish([partial(int, "no number"), partial(done.append, "other")])
    assert eventually(lambda: done == ["other"])


def test_nothing_is_wished_of_a_page_without_a_server() -> None:
    done: list[str] = []
    idle = Ahead()
    with idle.page():
        idle.wish([partial(done.append, "one")])
    time.sleep(0.4)
    assert done == []


@pytest.fixture
def untouched(full: Path, tmp_path: Path) -> Path:
    """A database of an hour ago that nobody has opened since: it has no write-ahead log."""
    path = tmp_path / "untouched.db"
    shutil.copyfile(full, path)
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))
    return path


def test_reading_a_database_does_not_make_it_another(untouched: Path) -> None:
    before = stamp(untouched)
    with closing(open_reader(untouched)) as connection:
        connection.execute("SELECT count(*) FROM trainings").fetchone()
        assert untouched.with_name("untouched.db-wal").exists()
        assert stamp(untouched) == before
    assert stamp(untouched) == before


def test_a_commit_that_touches_only_the_log_makes_it_another(untouched: Path) -> None:
    with closing(sqlite3.connect(untouched)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        before = stamp(untouched)
        connection.execute("CREATE TABLE other (id INTEGER)")
        connection.commit()
        assert stamp(untouched) != before


def test_the_first_page_finds_its_ranking_worked_out(
    untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead.first_page(untouched)
    monkeypatch.setattr(snapshot, "make_standing", lambda *_: pytest.fail("worked out again"))
    board = boards(untouched)[0]
    assert len(board.standing(Ranking("off")).ranked) == len(board.strengths(Ranking("off"))) > 0


def test_a_database_without_boards_is_no_reason_to_stop(tmp_path: Path) -> None:
    from bench.store.database import open_writer

    with open_writer(tmp_path / "empty.db"):
        pass
    ahead.first_page(tmp_path / "empty.db")
