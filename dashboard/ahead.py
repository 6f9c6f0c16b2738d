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

QUIET_S, LOADING_S = 0.4, 1.5
"""So long after a page something is worked out ahead: a browser draws what it was sent, and one
that shows its first page fetches what draws it."""


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
        self._quiet_until = time.monotonic()
        self._is_running = False

    def start(self) -> None:
        """Begin to work ahead; before this, wishes are forgotten."""
        self._is_running = True
        threading.Thread(target=self._serve, name="ahead", daemon=True).start()

    @contextmanager
    def page(self, *, is_first: bool = False) -> Iterator[None]:
        """A page is being made, perhaps the first of a browser: everything else waits."""
        with self._changed:
            self._pages += 1
        try:
            yield
        finally:
            with self._changed:
                self._pages -= 1
                busy_s = LOADING_S if is_first else QUIET_S
                self._quiet_until = max(self._quiet_until, time.monotonic() + busy_s)
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
                busy_s = self._quiet_until - time.monotonic()
                if not self._wanted or self._pages:
                    self._changed.wait()
                elif busy_s > 0:
                    self._changed.wait(busy_s)
                else:
                    return self._wanted.popleft()


AHEAD = Ahead()
"""Of this server."""
