"""Whether the inputs of a training lie on the device or are streamed to it."""

from __future__ import annotations

import logging
import os

import torch

from bench.settings import residence

log = logging.getLogger(__name__)

RESIDENT_SHARE = 0.25
"""Of the free memory of a GPU, or of a computer's physical memory, that inputs may fill in one
training; several trainings may share either."""


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether inputs of this size are copied to the device whole.

    Decided by ``LIPBENCH_RESIDENT``, else by the memory that is there. The results are the same.
    """
    wanted = residence()
    if wanted != "auto":
        return wanted == "always"
    free = _memory(device)
    if free is None or n_bytes <= RESIDENT_SHARE * free:
        return True
    log.info(
        "inputs of %.1f GiB are streamed: more than %d%% of %.1f GiB",
        *(n_bytes / 2**30, round(100 * RESIDENT_SHARE), free / 2**30),
    )
    return False


def _memory(device: torch.device) -> int | None:
    """Bytes: free on a GPU, installed for the CPU; None where nobody says."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] if torch.cuda.is_available() else None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
