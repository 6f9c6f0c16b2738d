"""What pages read and work out, kept in this process and worked out once.

Streamlit's own caches need a running server; these can be filled before the first visitor comes,
and while nobody waits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import wraps
from threading import Lock
from typing import ParamSpec, TypeVar

import pandas as pd

P = ParamSpec("P")
T = TypeVar("T")


def kept(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keep the results of the last ``most`` calls, by their hashable arguments.

    Who asks for what another thread is working out waits for it. Failures are not kept. A frame is
    given as a copy that shares its memory until somebody writes to it.
    """

    def keep(function: Callable[P, T]) -> Callable[P, T]:
        found: OrderedDict[Hashable, Future[T]] = OrderedDict()
        lock = Lock()

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            key = (args, tuple(sorted(kwargs.items())))
            with lock:
                future = found.get(key)
                is_new = future is None
                if future is None:
                    future = found[key] = Future()
                found.move_to_end(key)
                while len(found) > most:
                    found.popitem(last=False)
            if is_new:
                try:
                    future.set_result(function(*args, **kwargs))
                except BaseException as error:
                    future.set_exception(error)
                    with lock:
                        found.pop(key, None)
                    raise
            value = future.result()
            return value.copy(deep=False) if isinstance(value, pd.DataFrame) else value

        return call

    return keep
