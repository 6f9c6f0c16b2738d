"""Suite files before anybody looks at what they say: found by name, extended, at one budget.

Every value keeps the file and the line it came from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import yaml_marks
from bench.errors import SpecError, nearest

if TYPE_CHECKING:
    from bench.yaml_marks import Marked, Path_

SUITES = Path(__file__).parent / "suites"


def suite_names() -> list[str]:
    """The shipped suites."""
    return sorted(path.stem for path in SUITES.glob("*.yaml"))


def find_suite(name: str) -> Path:
    """The file of a suite, by shipped name or by path.

    Raises:
        SpecError: there is none; with the nearest name.
    """
    shipped = SUITES / f"{name}.yaml"
    if shipped.exists():
        return shipped
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.exists():
        if not path.is_file():
            raise SpecError(f"{name}: no such suite file")
        return path
    raise SpecError(
        f"unknown suite {name!r}{nearest(name, suite_names())} "
        f"(python -m bench list suites shows all; a path to a YAML file works too)"
    )


def extended(path: Path, seen: tuple[Path, ...] = ()) -> Marked:
    """A suite file over the one it ``extends``: mappings merge key by key, lists are replaced."""
    own = yaml_marks.load(path)
    if not isinstance(own.data, dict):
        raise SpecError(f"{path}:1: a suite is a mapping of keys such as 'datasets' and 'methods'")
    base_name = own.data.pop("extends", None)
    if base_name is None:
        return own
    if not isinstance(base_name, str):
        raise SpecError(f"{own.where(('extends',))}: extends takes one suite name or file")
    if "suite" not in own.data:
        # Under the name of its base it would take the place of the base's results.
        raise SpecError(
            f"{own.where(('extends',))}: a suite that extends another needs a name of its own, "
            f"for example suite: {path.stem.lower()}"
        )
    beside = path.parent / base_name
    base_path = beside if beside.is_file() else _find_base(base_name, own)
    if base_path.resolve() in (path.resolve(), *seen):
        raise SpecError(f"{own.where(('extends',))}: {base_name} extends itself")
    base = extended(base_path, (*seen, path.resolve()))
    return _merge(base, own)


def _find_base(name: str, own: Marked) -> Path:
    try:
        return find_suite(name)
    except SpecError as error:
        raise SpecError(f"{own.where(('extends',))}: {error}") from None


def _merge(base: Marked, own: Marked, at: Path_ = ()) -> Marked:
    data, lines = _merge_values(base.data, own.data, at, dict(base.lines), own.lines)
    return yaml_marks.Marked(data, lines, own.file)


def _merge_values(
    base: Any,
    own: Any,
    at: Path_,
    lines: dict[Path_, tuple[str, int]],
    own_lines: dict[Path_, tuple[str, int]],
) -> tuple[Any, dict[Path_, tuple[str, int]]]:
    if isinstance(base, dict) and isinstance(own, dict):
        merged = dict(base)
        for key, value in own.items():
            path = (*at, key)
            if key in own_lines or path in own_lines:
                lines[path] = own_lines[path]
            merged[key], lines = _merge_values(base.get(key), value, path, lines, own_lines)
        return merged, lines
    lines = {path: line for path, line in lines.items() if path[: len(at)] != at or path == at}
    lines.update({path: line for path, line in own_lines.items() if path[: len(at)] == at})
    return own, lines


def at_budget(marked: Marked, name: str) -> Marked:
    """The suite with one budget's values put in place of its own."""
    given = {k: v for k, v in marked.data["budgets"][name].items() if k != "description"}
    prefix = ("budgets", name)
    moved = {p[2:]: line for p, line in marked.lines.items() if p[:2] == prefix and len(p) > 2}
    base = yaml_marks.Marked({**marked.data, "budget": name}, marked.lines, marked.file)
    return _merge(base, yaml_marks.Marked(given, moved, marked.file))
