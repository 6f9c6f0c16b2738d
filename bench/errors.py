"""The errors a user can cause. Each says what was wrong, where, and what to type next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """Something the user can mend; the command line prints it without a traceback."""


class SpecError(BenchError):
    """A suite file that cannot be used; the message starts with ``file:line``."""


class PluginError(BenchError):
    """A plugin that cannot be loaded, does not exist or breaks its contract."""


class DataError(BenchError):
    """Data that is absent, damaged or not what it claims to be."""


class StoreError(BenchError):
    """A results database that cannot be opened, read or written."""


class Incompatible(BenchError):
    """A combination that cannot exist, raised while planning; the reason is shown in the plan."""


class KnowledgeError(PluginError):
    """A method asked for something it did not declare in ``knows``."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """``", did you mean 'x'?"`` for the closest valid name, else the list of the valid ones."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f", did you mean {close[0]!r}?"
    return f"; valid: {', '.join(names)}" if names else ""
