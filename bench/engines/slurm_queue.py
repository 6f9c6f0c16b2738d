"""Asking SLURM about jobs by its own commands, for a cluster need not keep accounts."""

from __future__ import annotations

import getpass
import logging
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

log = logging.getLogger(__name__)

LOST = {"NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED", "UNKNOWN"}
"""Ends of a job that are no fault of its trainings."""

ASK_S = 60.0
"""Seconds that a command of SLURM may take."""


@dataclass(frozen=True)
class JobEnd:
    """How a job ended.

    Attributes:
        state: SLURM's word, ``UNKNOWN`` where it has forgotten the job.
        text: state, reason and exit code in words.
    """

    state: str
    text: str


def queued() -> set[str] | None:
    """Ids of this user's jobs that wait or run, ``12`` or ``12_3`` of an array; None: no answer."""
    found = _ask("squeue", "--noheader", "--array", "--format=%i", f"--user={getpass.getuser()}")
    return None if found is None else set(found.split())


def ended(job: str) -> JobEnd:
    """How a job that is not queued any more ended."""
    found = _ask("scontrol", "--oneliner", "show", "job", job) or ""
    words = dict(word.split("=", 1) for word in found.split() if "=" in word)
    state = words.get("JobState", "UNKNOWN")
    if state == "UNKNOWN":
        return JobEnd(state, "SLURM does not know the job any more")
    return JobEnd(
        state, f"{state}, reason {words.get('Reason')}, exit code {words.get('ExitCode')}"
    )


def cancel(jobs: Iterable[str]) -> None:
    """End jobs; those that are over already are no error."""
    ids = list(jobs)
    if ids:
        _ask("scancel", "--quiet", *ids)


def _ask(*command: str) -> str | None:
    try:
        found = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, timeout=ASK_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("%s: %s", command[0], error)
        return None
    if found.returncode != 0:
        log.debug("%s: %s", " ".join(command), found.stderr.strip())
        return None
    return found.stdout
