"""What was run to make a board: protocol, data, seeds, and the software that did it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from bench.report.content import Content
from bench.report.tables import counted

COMMIT_DIGITS = 12


def provenance(content: Content) -> list[tuple[str, str]]:
    """Name and value of everything that a reader needs to run it again."""
    return [(name, value) for name, value in _parts(content) if value]


def moment(iso: str) -> str:
    """``22 Nov 2026, 20:25 UTC`` from an ISO date; anything else as it is."""
    try:
        found = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{found.day} {found:%b %Y, %H:%M} UTC"


def _parts(content: Content) -> Iterator[tuple[str, str]]:
    board, spec = content.board, content.spec
    yield "suite", f"{board.suite}: {spec.get('title', '')}".removesuffix(": ")
    yield "budget", board.budget
    yield "about", " ".join(str(spec.get("description", "")).split())
    yield "data", board.data
    yield "seeds", ", ".join(str(seed) for seed in sorted(content.results["seed"].unique()))
    yield "protocol", _protocol(spec.get("protocol", {}))
    yield "planned", moment(content.planned_at)
    done = content.results["training_key"].nunique()
    planned = int(content.asked["planned"].sum())
    yield "trainings", f"{done:,} of {planned:,} planned have a result"
    yield from _software(content)
    yield "board", board.board


def _protocol(protocol: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name.replace('_', ' ')} {_value(value)}"
        for name, value in protocol.items()
        if value not in (None, [], {})
    )


def _value(value: Any) -> str:
    """``sgd (lr 0.05, momentum 0.9)`` of a name with parameters, anything else in words."""
    if isinstance(value, Mapping):
        rest = {key: item for key, item in value.items() if key not in ("name", "params")}
        rest |= value.get("params") or {}
        said = _protocol(rest).replace("; ", ", ")
        name = str(value.get("name", ""))
        return f"{name} ({said})" if name and said else name or said
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return str(value)


def _software(content: Content) -> Iterator[tuple[str, str]]:
    rows = content.environments.to_dict("records")
    for columns, heading in ((("git_commit", "git_dirty"), "code"), (("python",), "software")):
        said: dict[str, int] = {}
        for row in rows:
            text = _code(row) if "git_commit" in columns else _packages(row)
            said[text] = said.get(text, 0) + int(row["trainings"])
        yield heading, _with_counts(said)
    machines: dict[str, int] = {}
    for row in rows:
        chip = row["accelerator"] or f"{row['cpu']}, {counted(row['cores'], 'core')}"
        text = f"{chip}, on {row['device']}; {row['platform']}"
        machines[text] = machines.get(text, 0) + int(row["trainings"])
    yield "machine", _with_counts(machines)


def _code(row: Mapping[Any, Any]) -> str:
    if not row["git_commit"]:
        return "outside git"
    changed = ", with uncommitted changes" if row["git_dirty"] else ""
    return f"git {row['git_commit'][:COMMIT_DIGITS]}{changed}"


def _packages(row: Mapping[Any, Any]) -> str:
    packages = (f"{name} {version}" for name, version in sorted(row["packages"].items()))
    return f"Python {row['python']}, {', '.join(packages)}"


def _with_counts(said: Mapping[str, int]) -> str:
    if len(said) == 1:
        return next(iter(said))
    return "; ".join(f"{text} ({counted(number, 'training')})" for text, number in said.items())
