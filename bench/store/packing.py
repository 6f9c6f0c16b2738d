"""Arrays as small blobs, and back."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np


def pack_labels(labels: np.ndarray[Any, Any]) -> bytes:
    """Labels ``(n,)`` as compressed little-endian int32."""
    return zlib.compress(np.asarray(labels, dtype="<i4").tobytes(), level=9)


def unpack_labels(blob: bytes) -> np.ndarray[Any, Any]:
    """The inverse of ``pack_labels``, int64."""
    return np.frombuffer(zlib.decompress(blob), dtype="<i4").astype(np.int64)


def pack_sets(sets: np.ndarray[Any, Any] | None) -> bytes | None:
    """Candidate sets ``(n, C)`` bool as compressed bits; None for single labels."""
    return None if sets is None else zlib.compress(np.packbits(sets).tobytes(), level=9)


def pack_vectors(rows: Sequence[Sequence[float]]) -> bytes:
    """Rows of equal length as compressed little-endian float32."""
    return zlib.compress(np.asarray(rows, dtype="<f4").tobytes(), level=9)


def unpack_vectors(blob: bytes, columns: int) -> np.ndarray[Any, Any]:
    """The inverse of ``pack_vectors``, ``(rows, columns)`` float64."""
    values = np.frombuffer(zlib.decompress(blob), dtype="<f4").astype(np.float64)
    return values.reshape(-1, columns) if columns else values.reshape(0, 0)
