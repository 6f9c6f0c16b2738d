"""What runs code that data brings along, found in source by its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODULES = {
    *("_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"),
    *("tarfile", "xmlrpc", "telnetlib", "ftplib"),
}
"""Modules that run what they read, or unpack archives without looking."""

NAMES = {"eval", "exec", "compile", "__import__"}

ATTRIBUTES = {
    *("extractall", "unpack_archive", "read_pickle", "to_pickle", "unsafe_load", "full_load"),
    *("unsafe_load_all", "full_load_all", "system", "popen", "exec_module", "load_extension"),
    *("enable_load_extension", "load_module", "hub"),
}

WRITES = {"dump", "dumps", "PicklingError"}
"""What of ``pickle`` runs nothing: writing, for a hash of what is in memory."""

OPENERS = {"open_writer", "connect", "commit", "record_plan"}
"""What a page that only reads never calls."""


@dataclass(frozen=True)
class Found:
    """A place in the source.

    Attributes:
        file: from the root of the sources.
        line: from 1.
        what: the call or the import, in words.
    """

    file: str
    line: int
    what: str


def in_source(text: str, file: str) -> Iterator[Found]:
    """Every dangerous call or import of a source file."""
    for node in ast.walk(ast.parse(text)):
        for what in _dangers(node):
            yield Found(file, getattr(node, "lineno", 0), what)


def sources(root: Path, *folders: str) -> Iterator[tuple[str, str]]:
    """Name and text of all Python files below some folders."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def _dangers(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    else:
        names = []
    yield from (f"import {name}" for name in names if name.split(".")[0] in MODULES)
    if isinstance(node, ast.ImportFrom) and node.module == "pickle":
        yield from (f"pickle.{alias.name}" for alias in node.names if alias.name not in WRITES)
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle":
        yield from (f"pickle.{name}" for name in {node.attr} - WRITES)
    if isinstance(node, ast.Call):
        yield from _call(node)


def _call(node: ast.Call) -> Iterator[str]:
    name, owner = _called(node.func)
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    if owner is None and name in NAMES:
        yield f"{name}()"
    elif owner is not None and name in ATTRIBUTES:
        yield f"{owner}.{name}()"
    if name == "load" and owner == "torch" and not _is(given.get("weights_only"), True):
        yield "torch.load() without weights_only=True"
    if name in {"load", "load_all"} and owner == "yaml":
        yield f"yaml.{name}()"
    if "allow_pickle" in given and not _is(given["allow_pickle"], False):
        yield "allow_pickle"
    if "shell" in given and not _is(given["shell"], False):
        yield "shell="
    if "unsafe_allow_html" in given and not _is(given["unsafe_allow_html"], False):
        yield "unsafe_allow_html"
    if name == "extract" and owner is not None:
        yield f"{owner}.extract()"


def _called(function: ast.expr) -> tuple[str, str | None]:
    """The name that is called, and what it is looked up in."""
    if isinstance(function, ast.Name):
        return function.id, None
    if isinstance(function, ast.Attribute):
        return function.attr, ast.unparse(function.value)
    return "", None


def _is(value: ast.expr | None, constant: bool) -> bool:
    return isinstance(value, ast.Constant) and value.value is constant


def calls(text: str, names: set[str]) -> set[str]:
    """Those of the names that a source calls or imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            found.add(_called(node.func)[0])
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
    return found & names
