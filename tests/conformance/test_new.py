"""A scaffolded plugin passes its checks, is listed, and can be put in a suite at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import application
from bench.conformance import check_plugin
from bench.errors import BenchError
from bench.registry import KINDS, Registry, discover
from bench.scaffold import LEVELS, identifier_of, shipped_folder, trial, write_plugin
from bench.spec import load_suite

ROOT = Path(__file__).parents[2]
KIND_AND_LEVEL = [("method", level) for level in LEVELS] + [
    (k, None) for k in KINDS if k != "method"
]


@pytest.mark.parametrize(("kind", "level"), KIND_AND_LEVEL)
def test_new_plugin_passes_its_checks_and_is_found(
    kind: str, level: str | None, registry: Registry, tmp_path: Path
) -> None:
    path = write_plugin(kind, "my_plugin", registry, level=level, folder=tmp_path)
    assert path == tmp_path / "my_plugin.py"
    found = discover([path])
    info = found.get(kind, "my-plugin")
    assert info.file == str(path)
    assert info.summary.endswith(".")
    checks = check_plugin(found, info)
    assert [check for check in checks if check.skipped or not check.ok] == []


@pytest.mark.parametrize(("kind", "level"), KIND_AND_LEVEL)
def test_new_plugin_can_be_put_in_a_suite(
    kind: str, level: str | None, registry: Registry, tmp_path: Path
) -> None:
    path = write_plugin(kind, "my_plugin", registry, level=level, folder=tmp_path)
    found = discover([path])
    suite = tmp_path / "my-plugin.yaml"
    suite.write_text(trial(found.get(kind, "my-plugin")))
    loaded = load_suite(str(suite), "smoke", found)
    named = {
        "method": loaded.methods,
        "dataset": loaded.datasets,
        "noise": loaded.noises,
        "refiner": loaded.refiners,
        "backbone": (loaded.protocol.backbone,),
    }
    assert "my-plugin" in [item.name for item in named[kind]]


def test_new_plugins_are_clean_for_ruff(registry: Registry, tmp_path: Path) -> None:
    for kind, level in KIND_AND_LEVEL:
        write_plugin(kind, f"my_{level or kind}", registry, level=level, folder=tmp_path)
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--config"]
        ended = subprocess.run(
            [*ruff, str(ROOT / "pyproject.toml"), str(tmp_path)], capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout
    assert len(list(tmp_path.glob("*.py"))) == len(KIND_AND_LEVEL)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [("my_loss", "my_loss"), ("my-loss", "my_loss"), ("MyLoss2", "my_loss2"), (" GCE ", "gce")],
)
def test_name_is_normalised(name: str, identifier: str) -> None:
    assert identifier_of(name) == identifier


@pytest.mark.parametrize(
    "name", ["2fast", "", "a b", "class", "_own", "a/b", "../up", "ä", "a__b", "a.py", "a_"]
)
def test_name_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(BenchError, match="cannot name a plugin"):
        identifier_of(name)


def test_name_of_an_import_is_refused(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="import and define 'loss'"):
        write_plugin("method", "loss", registry, folder=tmp_path)
    with pytest.raises(BenchError, match="import and define 'Noise'"):
        write_plugin("noise", "noise", registry, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_name_that_is_taken_is_refused_with_its_origin(registry: Registry, tmp_path: Path) -> None:
    origin = registry.get("method", "ce").origin
    with pytest.raises(BenchError) as error:
        write_plugin("method", "ce", registry, folder=tmp_path, force=True)
    assert origin in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "level", "words"),
    [
        ("methods", None, "did you mean 'method'"),
        ("noise", "state", "--level is for methods"),
        ("method", "stat", "did you mean 'state'"),
    ],
)
def test_kind_or_level_that_is_not_there_is_refused(
    kind: str, level: str | None, words: str, registry: Registry, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=words):
        write_plugin(kind, "mine", registry, level=level, folder=tmp_path)


def test_default_folder_is_the_one_that_is_searched(registry: Registry) -> None:
    for kind in KINDS:
        # Families of methods have folders of their own inside the one that new files go to.
        folders = {Path(info.file).parent for info in registry.all(kind)}
        assert shipped_folder(kind) in folders
        assert all(folder.is_relative_to(shipped_folder(kind)) for folder in folders)


def test_code_of_the_bench_is_never_overwritten(registry: Registry) -> None:
    engine = shipped_folder("refiner") / "evaluate.py"
    before = engine.read_bytes()
    with pytest.raises(BenchError, match="is not the refiner 'evaluate'"):
        write_plugin("refiner", "evaluate", registry, force=True)
    assert engine.read_bytes() == before


def test_command_writes_and_prints_three_commands(tmp_path: Path) -> None:
    ended = CliRunner().invoke(
        application([]), ["new", "method", "MyLoss", "--folder", str(tmp_path)]
    )
    assert ended.exit_code == 0
    path = tmp_path / "my_loss.py"
    commands = ended.output.splitlines()[1:]
    assert [" ".join(command.split()[:4]) for command in commands[:2]] == [
        "python -m bench check",
        "python -m bench list",
    ]
    assert len(commands) == 3
    assert "python -m bench run my-loss.yaml --budget smoke" in commands[2]
    assert all(str(path) in command for command in commands)


def test_command_refuses_to_overwrite_and_force_writes_anew(tmp_path: Path) -> None:
    command = ["new", "method", "mine", "--folder", str(tmp_path)]
    assert CliRunner().invoke(application([]), command).exit_code == 0
    path = tmp_path / "mine.py"
    before = path.read_text()
    again = CliRunner().invoke(application([]), [*command, "--level", "state"])
    assert isinstance(again.exception, BenchError)
    assert "--force overwrites it" in str(again.exception)
    assert path.read_text() == before
    forced = CliRunner().invoke(application([]), [*command, "--level", "state", "--force"])
    assert forced.exit_code == 0
    assert list(discover([path]).get("method", "mine").parameters) == ["beta"]
