"""Where a result came from: code, packages and machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from functools import lru_cache
from pathlib import Path

from bench.records import Environment

PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "scipy", "pandas", "lipbench")


@lru_cache(maxsize=1)
def environment(accelerator: str = "") -> Environment:
    """This process's environment; ``accelerator`` names the device where it is not the CPU."""
    commit, dirty = _git()
    return Environment(
        git_commit=commit,
        git_dirty=dirty,
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        accelerator=accelerator,
        packages={name: _version(name) for name in PACKAGES},
    )


def _git() -> tuple[str, bool]:
    """Commit of this source tree and whether code differs from it; empty outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    try:
        commit = _run(["git", "rev-parse", "HEAD"], root)
        changes = _run(["git", "status", "--porcelain", "--", "bench", "methods", "datasets"], root)
    except (OSError, subprocess.SubprocessError):
        return "", False
    return commit, bool(changes)


def _run(command: list[str], folder: Path) -> str:
    return subprocess.run(  # noqa: S603
        command, cwd=folder, capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
