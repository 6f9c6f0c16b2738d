"""Words and numbers as the pages show them; everything from the database is escaped here."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.commands import database_words
from bench.report.commands import fill_command as fill_command
from bench.report.commands import only_name as only_name
from bench.report.commands import only_words as only_words
from bench.report.commands import run_command as run_command
from bench.report.tables import BADGES

if TYPE_CHECKING:
    from dashboard.data import Board

# What Streamlit's Markdown acts on: emphasis, links, HTML, formulas, and :directives[]. Signs
# inside words stay bare, because an option's text is also its value in the URL.
_ACTIVE = re.compile(
    r"[\\`*\[\]<>~$|&#!@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=[A-Za-z/])"
    r"|(?<=:material)/"
)

# Emoji and bare links are looked for after escapes are undone; an invisible sign breaks them up.
_LATE = re.compile(r":(?=[\w+-]+:|//)|www(?=\.)|@(?=\w)")
_JOINER = "\N{WORD JOINER}"

NOTHING = 1e-6
"""Differences of accuracy below this are rounding of the stored float32 figures, not a gain."""


def plain(text: object) -> str:
    """Text that Markdown shows as it is, on one line."""
    joined = _LATE.sub(rf"\g<0>{_JOINER}", " ".join(str(text).split()))
    return _ACTIVE.sub(r"\\\g<0>", joined)


def percent(share: float, half: float = math.nan) -> str:
    """``93.21 ± 0.40`` from shares."""
    text = f"{100 * share:.2f}"
    return text if math.isnan(half) else f"{text} ± {100 * half:.2f}"


def points(share: float) -> str:
    """A difference in percentage points with its sign; a plain 0 where nothing changed."""
    if math.isnan(share):
        return "–"
    if abs(share) < NOTHING:
        return "0"
    return f"{100 * share:+.2f}".replace("-", "−")


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listing(names: Iterable[object], most: int = 3) -> str:
    """``a, b and 4 more``, escaped."""
    found = [plain(name) for name in names]
    if len(found) > most:
        return f"{', '.join(found[:most])} and {len(found) - most} more"
    return " and ".join(filter(None, [", ".join(found[:-1]), *found[-1:]]))


def moment(iso: str) -> str:
    """``22 Nov 2026, 20:25 UTC`` from an ISO date; anything else as it is."""
    try:
        found = datetime.fromisoformat(iso)
    except ValueError:
        return plain(iso)
    return f"{found.day} {found:%b %Y, %H:%M} UTC"


def headings(blocks: Sequence[tuple[str, str]]) -> list[str]:
    """A short name for every (data set, noise): the noise alone where there is one data set."""
    one = len({dataset for dataset, _ in blocks}) == 1
    return [noise if one else f"{dataset} · {noise}" for dataset, noise in blocks]


def badges(names: Iterable[str]) -> str:
    """What a method is told or uses, in short words."""
    return ", ".join(BADGES.get(name, name) for name in names)


def run_address(board: Board, key: str) -> str:
    """Where the page of runs shows one training of a board, for links: ``/runs?board=…&run=…``."""
    return f"/runs?board={board.short}&run={key[:8]}"


def analyse_command(suite: str, budget: str, db: Path) -> str:
    """The command that writes all charts of an analysis, ready to paste."""
    words = ["python", "-m", "bench", "analyse", suite]
    if budget:
        words += ["--budget", budget]
    return shlex.join([*words, "--output", "figures", *database_words(db)])


def import_command(db: Path) -> str:
    """The command that brings the shipped published figures in, ready to paste."""
    return shlex.join(["python", "-m", "bench", "published", "import", *database_words(db)])
