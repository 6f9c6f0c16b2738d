"""Finding plugins: shipped, by file, by variable, broken ones, and names given twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import PluginError
from bench.registry import KINDS, discover

GOOD = '''"""A loss."""

from __future__ import annotations

from bench.api import loss


@loss(name="mine", paper="none")
def mine(logits, targets, q: float = 0.5):
    """Mine."""
    return (logits.sum(1) - targets) * q
'''


def plugin(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_shipped_plugin_loads() -> None:
    registry = discover()
    for kind in KINDS:
        found = registry.all(kind)
        assert found
        assert [info.name for info in found if info.error] == []


def test_a_file_becomes_a_method(tmp_path: Path) -> None:
    info = discover([plugin(tmp_path, GOOD)]).get("method", "mine")
    assert (info.summary, list(info.parameters)) == ("Mine.", ["q"])
    assert info.origin == f"{tmp_path / 'mine.py'}:9"


def test_a_file_named_by_the_variable_becomes_a_method(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = plugin(tmp_path, GOOD.replace("mine", "other"), "other.py")
    paths = [str(plugin(tmp_path, GOOD)), str(other)]
    monkeypatch.setenv("LIPBENCH_PLUGINS", os.pathsep.join(paths))
    registry = discover()
    assert registry.get("method", "mine").name == "mine"
    assert registry.get("method", "other").name == "other"


def test_an_entry_point_becomes_a_method(tmp_path: Path) -> None:
    (tmp_path / "their_package.py").write_text(GOOD)
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lipbench.plugins]\ntheirs = their_package\n")
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "from bench.registry import discover as d;print(d().get('method', 'mine').file)",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(tmp_path / "their_package.py")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import no_such_package\n", "No module named 'no_such_package'"),
        (GOOD.replace("q: float", "q: Tensorish"), "cannot use the annotation 'Tensorish'"),
        (GOOD.replace("= 0.5", "= 'x'"), "q: input should be a valid number"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_broken_plugin_is_listed_with_its_error_and_hides_nothing(
    text: str, reason: str, tmp_path: Path
) -> None:
    registry = discover([plugin(tmp_path, text)])
    (broken,) = [info for info in registry.all("method") if info.error]
    assert reason in broken.error
    assert broken.file == str(tmp_path / "mine.py")
    assert registry.get("method", "ce").name == "ce"
    with pytest.raises(PluginError, match="cannot be loaded"):
        registry.get("method", "mine")


def test_two_plugins_of_one_name_are_an_error_naming_both(tmp_path: Path) -> None:
    path = plugin(tmp_path, GOOD.replace('"mine"', '"ce"'))
    with pytest.raises(PluginError, match=r"called 'ce': .*ce\.py:\d+ and .*mine\.py:9"):
        discover([path])


def test_a_file_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no plugin file"):
        discover([tmp_path / "absent.py"])


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(PluginError, match="unknown method 'coteaching', did you mean 'co-teach"):
        discover().get("method", "coteaching")


def test_planning_and_listing_do_not_import_torch(tmp_path: Path) -> None:
    discover()  # fills the catalogue
    code = (
        "import sys; from bench.registry import discover; from bench.spec import load_suite;"
        "load_suite('digits', None, discover()); print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_an_edited_plugin_is_read_anew(tmp_path: Path) -> None:
    path = plugin(tmp_path, GOOD)
    first = discover([path]).get("method", "mine")
    plugin(tmp_path, GOOD.replace("q: float = 0.5", "q: float = 0.7"))
    code = (
        "from bench.registry import discover;"
        f"print(discover([{str(path)!r}]).get('method', 'mine').parameters['q'].default)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert first.parameters["q"].default == 0.5
    assert found.stdout.strip() == "0.7"
