"""Reading before anybody asks: a first page before the server listens, others while it idles."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboard.data import OFF, Ranking, boards

log = logging.getLogger(__name__)

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


class Ahead:
    """Works out what is asked for next, a part at a time, while no page is being made."""

    def __init__(self) -> None:
        self._wanted: deque[Callable[[], object]] = deque()
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
        """A page is being made: everything else waits."""
        with self._changed:
            self._pages += 1
        try:
            yield
        finally:
            with self._changed:
                self._pages -= 1
                self._last_page = time.monotonic()
                self._changed.notify_all()

    def wish(self, parts: Iterable[Callable[[], object]]) -> None:
        """What may be asked for next, in small parts; replaces earlier wishes."""
        if self._is_running:
            with self._changed:
                self._wanted = deque(parts)
                self._changed.notify_all()

    def _serve(self) -> None:
        while True:
            part = self._next()
            try:
                part()
            except Exception as error:  # who asks for it is told; here nobody has asked yet
                log.debug("%s: %s", part, error)

    def _next(self) -> Callable[[], object]:
        with self._changed:
            while True:
                quiet_s = time.monotonic() - self._last_page
                if not self._wanted or self._pages:
                    self._changed.wait()
                elif quiet_s < QUIET_S:
                    self._changed.wait(QUIET_S - quiet_s)
                else:
                    return self._wanted.popleft()


AHEAD = Ahead()
"""Of this server."""
