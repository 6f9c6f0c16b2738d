"""Hashes of source code that change when behaviour may change, and not with comments or layout."""

from __future__ import annotations

import ast
import hashlib


def source_sha(text: str) -> str:
    """sha256 of the code in ``text`` without comments, docstrings, blank lines and positions.

    The canonical form is written here rather than taken from ``ast.dump``, whose output differs
    between Python versions. Raises ``SyntaxError`` like ``ast.parse``.
    """
    return hashlib.sha256(_canonical(ast.parse(text)).encode()).hexdigest()


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
