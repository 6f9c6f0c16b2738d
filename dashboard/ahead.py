"""Reading before anybody asks: a first page before the server listens, others while it idles."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboard.data import OFF, Board, Ranking, boards

log = logging.getLogger(__name__)

MOST = 64
"""Rankings that are worked out ahead, at most."""

QUIET_S = 0.5
"""So long nobody has asked for a page, before something is worked out ahead: browsers fetch what
belongs to a page after it was made."""


def first_page(path: Path) -> None:
    """Read what the ranking of the latest board shows, so that its first visitor need not wait."""
    found = boards(path)
    if not found:
        return
    board = found[0]
    board.suite_spec()
    board.methods()
    board.selectors()
    if board.failed:
        board.failures()
    board.refused()
    if board.done:
        ranking = Ranking(next(iter(board.refiners()), OFF))
        board.standing(ranking)
        board.strengths(ranking)


Work = Callable[[Board, Ranking], None]


def _nothing(board: Board, ranking: Ranking) -> None:
    """No more than ranks and strengths."""


class Ahead:
    """Works out rankings that are asked for next, one at a time, while no page is being made."""

    def __init__(self) -> None:
        self._wanted: tuple[Board, list[Ranking], Work] | None = None
        self._changed = threading.Condition()
        self._pages = 0
        self._last_page = time.monotonic()
        self._is_running = False

    def start(self) -> None:
        """Begin to work ahead; before this, wishes are forgotten."""
        self._is_running = True
        threading.Thread(target=self._serve, name="ahead", daemon=True).start()

    @contextmanager
    def page(self) -> Iterator[None]:
        """A page is being made: what is worked out ahead stops before its next part."""
        with self._changed:
            self._pages += 1
        try:
            yield
        finally:
            with self._changed:
                self._pages -= 1
                self._last_page = time.monotonic()
                self._changed.notify_all()

    def wish(self, board: Board, rankings: list[Ranking], also: Work = _nothing) -> None:
        """What may be asked for next, and what to do of each beside; replaces earlier wishes."""
        if self._is_running:
            with self._changed:
                self._wanted = board, rankings[:MOST], also
                self._changed.notify_all()

    def give_way(self) -> None:
        """Wait while a page is being made; between parts of what is worked out ahead."""
        with self._changed:
            while self._pages:
                self._changed.wait()

    def _serve(self) -> None:
        while True:
            board, ranking, also = self._next()
            try:
                board.standing(ranking)
                self.give_way()
                board.strengths(ranking)
                self.give_way()
                also(board, ranking)
            except Exception as error:  # who asks for it is told; here nobody has asked yet
                log.debug("%s of %s: %s", ranking, board.name, error)

    def _next(self) -> tuple[Board, Ranking, Work]:
        with self._changed:
            while True:
                quiet_s = time.monotonic() - self._last_page
                if self._wanted is None or not self._wanted[1] or self._pages:
                    self._changed.wait()
                elif quiet_s < QUIET_S:
                    self._changed.wait(QUIET_S - quiet_s)
                else:
                    board, rankings, also = self._wanted
                    return board, rankings.pop(0), also


AHEAD = Ahead()
"""Of this server."""
