"""What commands that only show something load; how fast they are is for the benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.registry import discover

HEAVY = ("torch", "pandas", "scipy", "sklearn", "numpy")


@pytest.mark.parametrize(
    "command",
    [["--help"], ["list", "methods"], ["list", "refiners"], ["run", "--help"], ["data", "--help"]],
    ids=" ".join,
)
def test_showing_what_there_is_loads_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    discover()  # fills the catalogue: the first call after an edit has to look at plugins
    code = (
        f"import sys; sys.argv = ['lipbench', *{command!r}]\n"
        "from bench.cli import main; code = main()\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "0 []"


def test_a_list_says_the_defaults_of_parameters(bench: Callable[..., Any]) -> None:
    ended = bench("list", "methods")
    assert ended.code == 0
    assert "parameters: q=0.7" in ended.out
