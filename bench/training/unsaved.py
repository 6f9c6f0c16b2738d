"""What a method keeps beside the state that it saves, and whether that can be lost."""

from __future__ import annotations

import hashlib
import pickle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import Method

GIVEN = ("run", "networks")
"""Attributes that the harness sets."""


def plain_attributes(method: Method) -> dict[str, Any]:
    """Numbers, texts and containers of them that the method has put on itself.

    ``Method.state_dict`` holds tensors, modules and optimisers; a counter or a flag is state too.
    """
    own = {name: value for name, value in vars(method).items() if name not in GIVEN}
    return {name: value for name, value in own.items() if _is_plain(value)}


class Opaque:
    """Attributes of a method that no checkpoint holds: harmless for as long as they stay as are.

    A method that overrides ``state_dict`` looks after them itself.
    """

    def __init__(self, method: Method) -> None:
        """Look at a method whose training has not begun."""
        self._at_first = _opaque(method)

    def changed(self, method: Method) -> list[str]:
        """Names of those that are no longer what they were, or that nobody can compare."""
        now = _opaque(method)
        names = sorted(now.keys() | self._at_first.keys())
        return [n for n in names if not now.get(n) or now.get(n) != self._at_first.get(n)]


def _opaque(method: Method) -> dict[str, str]:
    from bench.api import Method

    if type(method).state_dict is not Method.state_dict:
        return {}
    saved = {name for name, _ in method._own_state()}
    return {
        name: _digest(value)
        for name, value in vars(method).items()
        if name not in saved and name not in GIVEN and not _is_plain(value)
    }


def _digest(value: object) -> str:
    """Hash of a value's content; empty for one that cannot be written down."""
    try:
        return hashlib.sha256(pickle.dumps(value)).hexdigest()
    except Exception:  # pickling runs code of the value, which may raise anything
        return ""


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return type(value) in (list, tuple) and all(map(_is_plain, value))
    if isinstance(value, dict):
        named = all(isinstance(key, (str, int)) for key in value)
        return type(value) is dict and named and all(map(_is_plain, value.values()))
    return value is None or type(value) in (bool, int, float, str)
