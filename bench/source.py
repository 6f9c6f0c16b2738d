"""Hashes of source code that change when behaviour may change, and not with comments or layout."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

RECIPES = "bench.training.recipes"
RECIPE_FOLDER = Path(__file__).parent / "training" / "recipes"


def source_sha(text: str) -> str:
    """sha256 of the code in ``text`` without comments, docstrings, blank lines and positions.

    Recipes that it imports (``bench.training.recipes``, which methods share) are part of it, and
    the recipes that those import. The canonical form is written here rather than taken from
    ``ast.dump``, whose output differs between Python versions. Raises ``SyntaxError`` like
    ``ast.parse``.
    """
    tree = ast.parse(text)
    parts = [_canonical(tree)]
    wanted, seen = _recipes(tree), set[str]()
    while wanted:
        name = min(wanted)
        seen.add(name)
        recipe = ast.parse((RECIPE_FOLDER / f"{name}.py").read_text(encoding="utf-8"))
        parts.append(f"{name}:{_canonical(recipe)}")
        wanted = (wanted | _recipes(recipe)) - seen
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _recipes(tree: ast.AST) -> set[str]:
    """Names of the recipe modules that are imported anywhere in the code."""
    modules = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == RECIPES:
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{RECIPES}."):
            modules.add((node.module or "").removeprefix(f"{RECIPES}.").partition(".")[0])
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            modules |= {n.split(".")[3] for n in names if n.startswith(f"{RECIPES}.")}
    return {name for name in modules if (RECIPE_FOLDER / f"{name}.py").is_file()}


def _canonical(node: object) -> str:
    if isinstance(node, ast.AST):
        parts = []
        for name, value in ast.iter_fields(node):
            if name in ("type_comment", "kind", "ctx"):
                continue
            if name == "body" and isinstance(value, list):
                value = _without_docstring(node, value)
            if value is None or value == []:
                continue
            parts.append(f"{name}={_canonical(value)}")
        return f"{type(node).__name__}({','.join(parts)})"
    if isinstance(node, list):
        return "[" + ",".join(_canonical(item) for item in node) + "]"
    return repr(node)


def _without_docstring(node: ast.AST, body: list[ast.stmt]) -> list[ast.stmt]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        return body[1:]
    return body
