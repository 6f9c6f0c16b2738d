"""Every registered plugin keeps its promises, and the command says so."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from bench.cli import application
from bench.conformance import check_plugin
from bench.conformance.fixture import global_generators
from bench.errors import PluginError
from bench.plugin_info import PluginInfo
from bench.registry import KINDS, Registry, discover


def registered() -> list[PluginInfo]:
    """Every plugin; tests are collected before any fixture could keep the user's cache apart."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("LIPBENCH_CACHE", folder)
        found = discover()
        return [info for kind in KINDS for info in found.all(kind)]


FAILING = '''"""Negative."""

from __future__ import annotations

from bench.api import Method


class Negative(Method):
    """Trains in the wrong direction."""

    name = "negative"
    paper = "none"
    cost = 0.0

    def loss(self, batch):
        """A loss."""
        return self.logits(batch.x).square().sum(1) + 1
'''


EXPECTED = (
    "has no transition matrix",
    "replaces no inputs",
    "reads the file",
    "reads the user's own",
)
"""What may be skipped: properties that not every plugin has."""


@pytest.mark.parametrize("info", registered(), ids=lambda info: f"{info.kind}-{info.name}")
def test_registered_plugin_conforms(info: PluginInfo, registry: Registry) -> None:
    checks = check_plugin(registry, info)
    assert [f"{check.name}: {check.detail}" for check in checks if not check.ok] == []
    if not (info.kind == "dataset" and not info.declared["bundled"]):
        assert [c.name for c in checks if c.skipped and not c.skipped.startswith(EXPECTED)] == []


def test_global_generators_and_threads_are_left_as_they_were(registry: Registry) -> None:
    torch_before, numpy_before, python_before = global_generators()
    threads = torch.get_num_threads()
    check_plugin(registry, registry.get("method", "ce"))
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before[1])  # noqa: NPY002
    assert random.getstate() == python_before
    assert torch.get_num_threads() == threads


def test_command_prints_the_table_and_the_next_command() -> None:
    ended = CliRunner().invoke(application([]), ["check", "recentre"])
    assert ended.exit_code == 0
    assert ended.output.count("✓") == len(check_names("refiner", "recentre"))
    assert "python -m bench run recentre.yaml --budget smoke" in ended.output.splitlines()[-1]


def check_names(kind: str, name: str) -> list[str]:
    registry = discover()
    return [check.name for check in check_plugin(registry, registry.get(kind, name))]


def test_command_fails_with_the_place_and_the_command_to_repeat(tmp_path: Path) -> None:
    path = tmp_path / "negative.py"
    path.write_text(FAILING)
    ended = CliRunner().invoke(application([]), ["check", str(path)], env={"COLUMNS": "300"})
    assert ended.exit_code == 1
    assert f"{path}:8: cost is 0.0" in ended.output
    assert ended.output.splitlines()[-1].startswith("2 failed.")
    assert f"python -m bench check {path}" in ended.output


def test_command_gives_json(tmp_path: Path) -> None:
    path = tmp_path / "negative.py"
    path.write_text(FAILING)
    ended = CliRunner().invoke(application([]), ["check", str(path), "--json"])
    rows = json.loads(ended.stdout)
    assert {row["name"] for row in rows if not row["ok"]} == {"declarations", "learns clean labels"}
    assert {(row["kind"], row["plugin"]) for row in rows} == {("method", "negative")}


def test_file_that_cannot_be_imported_is_one_failed_check(tmp_path: Path) -> None:
    path = tmp_path / "torn.py"
    path.write_text("from bench.api import Method\n\nclass Torn(Method:\n")
    registry = discover([path])
    (check,) = check_plugin(registry, next(i for i in registry.all("method") if i.name == "torn"))
    assert (check.name, check.ok) == ("import", False)
    assert f"{path}:3" in check.detail


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("recenter", "did you mean 'recentre'?"),
        ("no/such/file.py", "no plugin file"),
        (str(Path(__file__)), "defines no plugin"),
    ],
)
def test_target_that_is_no_plugin_is_refused(target: str, words: str) -> None:
    error = CliRunner().invoke(application([]), ["check", target]).exception
    assert isinstance(error, PluginError)
    assert words in str(error)


def test_command_modules_do_not_import_torch() -> None:
    code = (
        "import sys, bench.cli.check, bench.cli.new, bench.scaffold; print('torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
