"""What a coordinator looks after while a worker trains: the size of its log, and its memory."""

from __future__ import annotations

import logging
import os
import subprocess
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

LOG_BYTES = 16 * 2**20
"""A log that is longer is cut to its first and its last ``KEPT_BYTES``."""

KEPT_BYTES = 2**20


def trim_log(path: Path) -> None:
    """Cut the middle out of a log that is too long; who writes it must have opened it to append.

    What is written during the cut may be lost; what is wrong with the file is left to its reader.
    """
    try:
        size = path.stat().st_size
        if size <= LOG_BYTES:
            return
        with path.open("r+b") as file:
            file.seek(size - KEPT_BYTES)
            tail = file.read(KEPT_BYTES)
            file.truncate(KEPT_BYTES)
        with path.open("ab") as file:
            cut = size - 2 * KEPT_BYTES
            file.write(f"\n[{cut} bytes cut out: a log keeps its first and last MiB]\n".encode())
            file.write(tail)
    except OSError as error:
        log.debug("%s is not cut: %s", path, error)


def resident_bytes(pid: int) -> int | None:
    """Memory that a process occupies; None where that cannot be asked, or it ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None if _has_proc() else _asked(pid)


@cache
def _has_proc() -> bool:
    return Path("/proc/self/statm").exists()


def _asked(pid: int) -> int | None:
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
        return int(found.stdout) * 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
