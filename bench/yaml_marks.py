"""YAML that remembers its lines, and reads what people mean.

``yaml.safe_load`` with three differences: every value's line is kept; a key given twice is an
error; and scalars follow YAML 1.2 (``off`` and ``no`` are words, ``1e-3`` is a number).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.errors import SpecError

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Marked:
    """Plain data and, for the path of each key or item in it, ``(file, line)``."""

    data: Any
    lines: dict[Path_, tuple[str, int]]
    file: str

    def where(self, path: Path_) -> str:
        """``file:line`` of the value at ``path``, or of its nearest ancestor that was written."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                file, line = self.lines[path[:end]]
                return f"{file}:{line}"
        return f"{self.file}:1"


class _Loader(yaml.SafeLoader):
    pass


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag
        not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def load(path: Path) -> Marked:
    """Read a file.

    Raises:
        SpecError: it does not exist, is not YAML, or repeats a key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read ({error})") from None
    return loads(text, str(path))


def loads(text: str, file: str) -> Marked:
    """Read a text; ``file`` is only for messages."""
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{file}:1: not valid YAML: {error}") from None
    try:
        node = loader.get_single_node()
        lines: dict[Path_, tuple[str, int]] = {(): (file, 1)}
        if node is None:
            return Marked(None, lines, file)
        _mark(node, (), lines, file)
        return Marked(loader.construct_document(node), lines, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SpecError(
            f"{file}:{line}: not valid YAML: {error.problem or error.context}"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpecError(f"{file}:1: not valid YAML: {error}") from None
    finally:
        loader.dispose()


def _mark(node: yaml.Node, path: Path_, lines: dict[Path_, tuple[str, int]], file: str) -> None:
    lines.setdefault(path, (file, node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise SpecError(f"{file}:{line}: key {key.value!r} is given twice")
            seen.add(key.value)
            lines[(*path, key.value)] = (file, line)
            _mark(value, (*path, key.value), lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _mark(item, (*path, position), lines, file)
