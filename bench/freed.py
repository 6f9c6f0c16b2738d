"""What becomes of memory that arrays free: it stays with the process, for the next ones."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Of ``mallopt`` in glibc's ``malloc.h``."""
KEPT_BYTES = 2**31 - 1
"""Free memory at the end of the heap beyond which it is given back after all; the largest int."""
PAD_BYTES = 2**26
"""By how much more than is needed the heap grows."""


def keep_freed_memory(kept_bytes: int = KEPT_BYTES) -> bool:
    """Let freed memory of this process serve its next allocation; False where that cannot be said.

    Every step of a training on the CPU allocates the activations that the last one freed. glibc
    gives large blocks back to the kernel, which hands them out anew page by page, and zeroed: that
    was up to a quarter of a step of a small network. Numbers do not change. The process keeps as
    much as it needed at its peak, up to ``kept_bytes`` more than it has in use at the moment; it
    should end when its work does, or ask for less than the default of 2 GiB.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    wanted = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: kept_bytes, M_TOP_PAD: PAD_BYTES}
    return all(mallopt(option, value) for option, value in wanted.items())
