"""Commands that fill a board, ready to paste into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.suite_files import suite_names
from bench.tuning.asked import TUNED

DEFAULT_DB = "leaderboard.db"
"""The database of a command that names none."""


def run_command(suite: str, budget: str, db: Path, redo: str = "") -> str:
    """The command that fills a board, ready to paste.

    Args:
        suite: name of a shipped suite, or a file; any other is taken for a file of that name.
        budget: of the board; empty for none.
        db: the database.
        redo: ``failed`` to run again what failed, too.
    """
    # A board of tuned results is filled by tuning, which knows from the database how it was asked.
    verb = "tune" if suite.endswith(TUNED) else "run"
    own = suite.removesuffix(TUNED)
    named = own if own in suite_names() or own.endswith(".yaml") else f"{own}.yaml"
    words = ["python", "-m", "bench", verb, named]
    if budget:
        words += ["--budget", budget]
    words += database_words(db)
    if redo:
        words += ["--redo", redo]
    return shlex.join(words)


def fill_command(
    suite: str,
    budget: str,
    db: Path,
    only: Mapping[str, Sequence[str]] | None = None,
    redo: str = "",
) -> str:
    """The command that runs what is missing of a part of a board, ready to paste.

    Args:
        suite: as ``run_command`` takes it.
        budget: of the board; empty for none.
        db: the database.
        only: axis of ``run --only`` -> names; see ``only_name``.
        redo: ``failed`` to run again what failed, too.
    """
    parts = [run_command(suite, budget, db), only_words(only or {})]
    return " ".join(filter(None, [*parts, f"--redo {redo}" if redo else ""]))


def only_words(only: Mapping[str, Iterable[str]]) -> str:
    """``--only method=ce,elr --only noise=clean``, quoted for a shell."""
    texts = [f"{axis}={','.join(dict.fromkeys(names))}" for axis, names in only.items()]
    return " ".join(f"--only {shlex.quote(text)}" for text in texts)


def only_name(label: str, name: str) -> str:
    """What ``run --only`` takes for a label: it splits at commas, so then the bare name."""
    return name if "," in label else label


def database_words(db: Path) -> list[str]:
    """``--db PATH``, and nothing for the default database."""
    return [] if db.resolve() == Path(DEFAULT_DB).resolve() else ["--db", str(db)]
