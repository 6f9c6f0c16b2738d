"""What to type when a data set is absent or damaged."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from bench.registry import Registry


def missing(name: str, data_dir: Path, registry: Registry) -> str:
    """What to type when a data set is not there."""
    return f"{name} is not in {data_dir}. {_bring('Bring it with', name, data_dir, registry)}"


def remedy(name: str, data_dir: Path, registry: Registry) -> str:
    """What to type when a data set is there and of no use."""
    if registry.get("dataset", name).declared["bundled"]:
        return "it is prepared anew on its next use"
    return _bring("bring it again with", name, data_dir, registry)


def import_command(name: str, data_dir: Path, registry: Registry) -> str:
    """The command that imports a copy, and what the copy looks like."""
    layout: str = registry.get("dataset", name).declared["layout"]
    command = f"  python -m bench data import {name}"
    if layout:
        return f"{command} FOLDER{_option(data_dir)}, where FOLDER holds:\n{layout}"
    return (
        f"{command} FILE{_option(data_dir)}    (a folder or zip of train/<class>/*, test/<class>/*)"
    )


def _bring(words: str, name: str, data_dir: Path, registry: Registry) -> str:
    by_import = import_command(name, data_dir, registry)
    if registry.get("dataset", name).declared["layout"]:
        return f"{words}:\n{by_import}"
    return (
        f"{words} one of:\n"
        f"  python -m bench data fetch {name}{_option(data_dir)}          (downloads it)\n"
        f"{by_import}"
    )


def _option(data_dir: Path) -> str:
    """The option without which the command would look elsewhere."""
    usual = Path(os.environ.get("LIPBENCH_DATA_DIR") or "data")
    return "" if data_dir == usual else f" --data-dir {shlex.quote(str(data_dir))}"
