"""Memory that was freed serves the next allocation without the kernel."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import ctypes, resource, sys
from bench.freed import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
assert keep_freed_memory() if sys.argv[1] == "kept" else True
def step():
    blocks = [libc.malloc(size << 20) for size in (16, 40, 100)]
    for block, size in zip(blocks, (16, 40, 100)):
        ctypes.memset(block, 1, size << 20)
    for block in blocks:
        libc.free(block)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Page faults of the second of two equal steps."""
    command = [sys.executable, "-c", FAULTS, how]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_second_step_needs_no_new_pages() -> None:
    assert 10 * faults("kept") < faults("given back")
