"""Writing a plugin into a folder of its own and putting it through the kit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.conformance import check_plugin
from bench.conformance.result import Check
from bench.registry import discover


@pytest.fixture
def examine(tmp_path: Path) -> Callable[[str], list[Check]]:
    """``examine(text)`` writes a plugin file and gives the verdicts on the plugin in it."""

    def call(text: str) -> list[Check]:
        path = tmp_path / "broken.py"
        path.write_text(text, encoding="utf-8")
        registry = discover([path])
        kinds = ("method", "dataset", "noise", "refiner", "backbone")
        (info,) = (i for kind in kinds for i in registry.all(kind) if i.file == str(path))
        return check_plugin(registry, info)

    return call
