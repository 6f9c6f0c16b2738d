"""What makes two runs the same run: canonical JSON, content hashes, and one seed an axis."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any

ENGINE = 1
"""Raised by hand when a change of the engine changes results; part of every training's key."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; equal values give equal text.

    Raises:
        ValueError: NaN or infinity, which have no place in an identity.
        TypeError: a value that is not JSON.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_sha(value: Any) -> str:
    """sha256 of the canonical JSON, as 64 hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


class Pattern:
    """Identities of values that differ in a few leaves only; the rest of their text is kept.

    ``Pattern(build, "a").sha(x)`` is ``content_sha(build(a=x))``, many times as fast: a suite of
    100,000 trainings has half a million identities.
    """

    def __init__(self, build: Callable[..., Any], *leaves: str) -> None:
        """Write the text once, with marks where the leaves go.

        Args:
            build: makes the value of its leaves, and passes them on as they are.
            leaves: names of its arguments that will differ.
        """
        marks = [canonical(f"\x00{leaf}") for leaf in leaves]
        text = canonical(build(**{leaf: f"\x00{leaf}" for leaf in leaves}))
        first, *rest = re.split(f"({'|'.join(map(re.escape, marks))})", text)
        self._hashed = hashlib.sha256(first.encode())  # so far; what comes first is never new
        self._rest = [
            (marks.index(mark), after.encode())
            for mark, after in zip(rest[::2], rest[1::2], strict=True)
        ]

    def sha(self, *values: str | int) -> str:
        """``content_sha`` of the value with these leaves, in the order of their names."""
        texts = [_leaf(value) for value in values]
        hashed = self._hashed.copy()
        hashed.update(b"".join([texts[leaf] + after for leaf, after in self._rest]))
        return hashed.hexdigest()


def _leaf(value: str | int) -> bytes:
    # The same as canonical(), and a tenth of its time.
    text = encode_basestring_ascii(value) if isinstance(value, str) else str(int(value))
    return text.encode()


def axis_seed(axis: str, *parts: Any) -> int:
    """A seed in ``0..2**63-1`` for one source of randomness and nothing else.

    ``axis`` names the source (``split``, ``noise``, ``init``, ``order``, ``refiner``, …); ``parts``
    is all that it may depend on. Different axes never share a stream.
    """
    return int(content_sha([axis, *parts])[:16], 16) >> 1


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"identity keys are strings, not {key!r}")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and math.isfinite(value):
        return int(value)  # 1 and 1.0 are one value to whoever writes a suite
    return value
