"""A cache of plugin descriptions, so that planning and listing need not import torch.

One JSON file a user, keyed on the path and the exact text of each plugin file and on the text of
the API. It is an optimisation only: absent, damaged or unwritable, everything still works.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import logging
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.params import Parameter
from bench.plugin_info import PluginInfo

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """``$LIPBENCH_CACHE``, else ``lipbench`` in the user's cache folder."""
    own = os.environ.get("LIPBENCH_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lipbench"


class Catalogue:
    """Descriptions by file; ``get`` answers only for the very same text."""

    def __init__(self, path: Path, entries: dict[str, Any]) -> None:
        self._path = path
        self._entries = entries
        self._changed = False

    def get(self, path: Path, text: str) -> list[PluginInfo] | None:
        """What was found in this text, or None."""
        entry = self._entries.get(str(path))
        if not isinstance(entry, dict) or entry.get("sha") != _sha(text):
            return None
        try:
            return [
                PluginInfo(
                    **{
                        **info,
                        "parameters": {k: Parameter(**p) for k, p in info["parameters"].items()},
                    }
                )
                for info in entry["infos"]
            ]
        except (KeyError, TypeError):
            return None

    def put(self, path: Path, text: str, infos: list[PluginInfo]) -> None:
        """Remember a file's plugins (not its failures: what was missing may be installed)."""
        self._entries[str(path)] = {"sha": _sha(text), "infos": [asdict(info) for info in infos]}
        self._changed = True

    def save(self) -> None:
        """Write through a temporary file; a cache that cannot be written is left alone."""
        if not self._changed:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self._entries, file)
            os.replace(temporary, self._path)
        except (OSError, TypeError, ValueError) as error:
            log.debug("the plugin catalogue was not saved: %s", error)


def load() -> Catalogue:
    """The cache of this user and this version of the API; empty when there is none."""
    here = Path(__file__).parent
    files = ("api.py", "params.py", "plugin_info.py", "registry.py")
    paths = [here / name for name in files]
    paths += sorted((here / "training" / "recipes").glob("*.py"))  # part of a source's hash
    version = "".join(path.read_text(encoding="utf-8") for path in paths)
    path = cache_folder() / f"catalogue-{_sha(version)[:16]}.json"
    entries: Any = {}
    with contextlib.suppress(OSError, ValueError):
        entries = json.loads(path.read_text(encoding="utf-8"))
    return Catalogue(path, entries if isinstance(entries, dict) else {})


def broken(path: Path, text: str, kind: str, error: str) -> PluginInfo:
    """A plugin that failed to import, under the name its source gives it, or its file's name."""
    name = path.stem.replace("_", "-")
    line = 1
    try:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                for statement in node.body:
                    found = _name_assignment(statement)
                    if found:
                        name, line = found, node.lineno
    except SyntaxError as problem:
        line = problem.lineno or 1
    return PluginInfo(kind, name, "", "", str(path), line, "", error=error)


def definition_line(text: str, name: str) -> int:
    """The line on which the class or function ``name`` is defined; 1 when it is not found."""
    for node in ast.parse(text).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return node.lineno
    return 1


def _name_assignment(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id="name")], value=ast.Constant(value=str() as value)):
            return value
    return None


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
