"""Results of other machines that differ from ours: kept beside them, with their provenance.

The schema's seventh step is the table that holds them. What counts stays what it was; a conflict is
the other side's whole record, by its hash, so that the same one is never kept twice.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from typing import Any

CONFLICTS = """
CREATE TABLE conflicts (          -- the same training with other results, from elsewhere
  conflict TEXT PRIMARY KEY,      -- sha256 of the record
  training_id INTEGER NOT NULL REFERENCES trainings,
  origin TEXT NOT NULL,           -- name of the database or file that it came from
  found_at TEXT NOT NULL,         -- UTC, ISO 8601
  record BLOB NOT NULL            -- zlib of JSON: attempts, environments, epochs, evaluations, ...
) STRICT;
CREATE INDEX conflicts_by_training ON conflicts (training_id);
"""

MAX_RECORD = 64 << 20
"""Bytes of a record after decompression."""


def count(connection: sqlite3.Connection) -> int:
    """How many are kept."""
    (found,) = connection.execute("SELECT count(*) FROM conflicts").fetchone()
    return int(found)


def pack(text: bytes) -> bytes:
    """A record's JSON as it is stored."""
    return zlib.compress(text, level=9)


def unpack(blob: bytes) -> bytes:
    """The inverse of ``pack``. Raises ``ValueError`` for a blob that is damaged or too large."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(blob, MAX_RECORD)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not stream.eof:
        raise ValueError("cut short, or too large")
    return text


def record_of(blob: bytes) -> dict[str, Any]:
    """A stored record. Raises ``ValueError`` where it is damaged."""
    return dict(json.loads(unpack(blob)))


def problems(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the table, for ``db check``."""
    found = []
    for name, blob in connection.execute("SELECT conflict, record FROM conflicts"):
        try:
            whole = hashlib.sha256(unpack(blob)).hexdigest() == name
        except ValueError:
            whole = False
        if not whole:
            found.append(f"a kept conflict is damaged: {str(name)[:16]}")
    return found
