"""What pages read is read once, whoever asks, and before anybody asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from dashboard import ahead, snapshot
from dashboard.ahead import Ahead
from dashboard.data import Ranking, boards
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


def test_wishes_wait_while_a_page_is_made(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "QUIET_S", 0.0)
    done: list[Ranking] = []
    board, waiting = boards(full)[0], Ahead()
    waiting.start()
    with waiting.page():
        waiting.wish(board, [Ranking("lip"), Ranking("psp")], lambda _, one: done.append(one))
        time.sleep(0.2)
        assert done == []
    assert eventually(lambda: done == [Ranking("lip"), Ranking("psp")])


def test_a_page_is_made_before_the_next_part_of_what_is_worked_out_ahead(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "QUIET_S", 0.0)
    done: list[str] = []
    board, waiting = boards(full)[0], Ahead()
    began, may_go_on = threading.Event(), threading.Event()

    def in_parts(_: object, __: Ranking) -> None:
        began.set()
        may_go_on.wait(10)
        waiting.give_way()
        done.append("second part")

    waiting.start()
    waiting.wish(board, [Ranking("lip")], in_parts)
    assert began.wait(10)
    with waiting.page():
        may_go_on.set()
        time.sleep(0.2)
        done.append("page")
    assert eventually(lambda: done == ["page", "second part"])


def test_nothing_is_wished_of_a_page_without_a_server(full: Path) -> None:
    done: list[Ranking] = []
    board, idle = boards(full)[0], Ahead()
    with idle.page():
        idle.wish(board, [Ranking("lip")], lambda _, one: done.append(one))
    time.sleep(0.4)
    assert done == []


def test_the_first_page_finds_its_ranking_worked_out(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead.first_page(full)
    monkeypatch.setattr(snapshot, "make_standing", lambda *_: pytest.fail("worked out again"))
    board = boards(full)[0]
    assert len(board.standing(Ranking("off")).ranked) == len(board.strengths(Ranking("off"))) > 0


def test_a_database_without_boards_is_no_reason_to_stop(tmp_path: Path) -> None:
    from bench.store.database import open_writer

    with open_writer(tmp_path / "empty.db"):
        pass
    ahead.first_page(tmp_path / "empty.db")
