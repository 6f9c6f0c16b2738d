"""Which arrays can be reached from an object, following every reference that Python knows of."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Array = np.ndarray[Any, Any]

LIMIT = 200_000
"""Objects that are visited at most."""
ARRAY_LIMIT = 1_000_000
"""Numbers in an array that is still looked at."""
OPAQUE = (types.ModuleType, type, str, bytes, int, float, complex, types.CodeType, types.NoneType)
"""Not followed: shared by the whole program, or without references."""


def find(roots: Iterable[tuple[str, Any]], matches: Callable[[Array], bool]) -> str | None:
    """The way to the first reachable array (or list of numbers) that ``matches``.

    Modules, classes and the globals of functions are not followed: they belong to the program.

    Args:
        roots: (name, object) to start from.
        matches: is asked of every array, on the CPU.

    Returns:
        For example ``method.cache['labels']``; None when no array matches.
    """
    ways = _Ways()
    globals_ = {id(vars(module)) for module in list(sys.modules.values()) if module is not None}
    queue: deque[Any] = deque(value for name, value in roots if ways.enter(value, name, None))
    while queue and len(ways) < LIMIT:
        value = queue.popleft()
        array = _as_array(value)
        if array is not None and matches(array):
            return ways.to(value)
        for name, referent in _referents(value):
            if id(referent) not in globals_ and ways.enter(referent, name, value):
                queue.append(referent)
    return None


class _Ways:
    """How each visited object was come by; keeps it alive, so that no identity is used twice."""

    def __init__(self) -> None:
        self._from: dict[int, tuple[Any, str, Any]] = {}

    def __len__(self) -> int:
        return len(self._from)

    def enter(self, value: Any, name: str, parent: Any) -> bool:
        """True when the object is new and worth following."""
        if isinstance(value, OPAQUE) or id(value) in self._from:
            return False
        self._from[id(value)] = (value, name, parent)
        return True

    def to(self, value: Any) -> str:
        """The names along the way, from the root."""
        _, name, parent = self._from[id(value)]
        return name if parent is None else self.to(parent) + name


def _referents(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, types.FunctionType):
        yield " closure", value.__closure__
        yield " defaults", (value.__defaults__, value.__kwdefaults__, vars(value))
    elif isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"[{key!r}]", item
            yield " key", key
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield f"[{position}]", item
    elif isinstance(value, weakref.ref):
        yield "()", value()
    elif isinstance(value, np.ndarray):
        yield ".base", value.base
    else:
        yield from _attributes(value)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    own = getattr(value, "__dict__", None)
    named = own if isinstance(own, dict) else {}
    for key, item in list(named.items()):
        yield f".{key}", item
    if isinstance(value, Tensor):
        yield "._base", value._base
    for referent in gc.get_referents(value):
        if referent is not own:
            yield f" > {type(referent).__name__}", referent


def _as_array(value: Any) -> Array | None:
    """The numbers of a tensor, an array or a list; None where there are none, or too many."""
    try:
        if isinstance(value, Tensor) and value.numel() <= ARRAY_LIMIT:
            return np.asarray(value.detach().double().cpu().numpy())
        if isinstance(value, np.ndarray) and value.size <= ARRAY_LIMIT:
            return value if value.dtype.kind in "iufb" else None
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], (int, float)):
            return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        return None  # sparse, complex, without memory, or a list of unlike things
    return None
