"""What makes two runs the same run: canonical JSON, content hashes, and one seed an axis."""

from __future__ import annotations

import hashlib
import json
import math
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
