"""The terminal that commands write to."""

from __future__ import annotations

import os
import sys

from rich.console import Console

WIDTH_OF_FILES = 140
"""Columns where the output is no terminal: tables in a log should not be cut."""


def terminal() -> Console:
    """Standard output, as wide as the terminal or as a log file wants."""
    fixed = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH_OF_FILES
    return Console(width=fixed, highlight=False)
