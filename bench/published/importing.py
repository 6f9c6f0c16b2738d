"""Bringing files of published figures into a results database."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from bench.published import aliases
from bench.published.figures import Figure, read_figures
from bench.store import published as store

if TYPE_CHECKING:
    from sqlite_utils import Database

log = logging.getLogger(__name__)

SHIPPED = tuple(Path(__file__).parent / name for name in ("figures.csv", "standalone.csv"))
"""What LIPBench knows of the literature."""


def import_file(db: Database, path: Path) -> tuple[list[Figure], store.Imported]:
    """Read a file, and make it the rows of its name; nothing is written if anything is wrong.

    Returns:
        Its figures, and what changed in the table.

    Raises:
        DataError: every problem of the file, each with ``file:line``.
    """
    figures = read_figures(path, aliases.load())
    return figures, store.import_figures(db, path.name, figures)


def fill(db: Database) -> bool:
    """Give a database without any published figure the shipped ones; True if it did."""
    if not store.is_empty(db.conn):
        return False
    count = sum(len(import_file(db, path)[0]) for path in SHIPPED)
    log.info("%d published figures were imported; they stand beside results", count)
    return True
