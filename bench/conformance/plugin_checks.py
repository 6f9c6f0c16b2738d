"""What every plugin owes its reader, whatever its kind."""

from __future__ import annotations

import re

from bench.conformance.result import Requirement
from bench.conformance.subject import Subject
from bench.identity import canonical

KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CITED = ("method", "dataset")
"""Kinds that must name a source."""


def metadata(subject: Subject) -> str:
    """Guards the tables and badges: a name that can be typed, a summary, a source."""
    cls, info = subject.cls, subject.info
    if not KEBAB.fullmatch(info.name):
        raise subject.failed(f"the name {info.name!r} is not in kebab-case, such as 'my-plugin'")
    if not (cls.__doc__ or "").strip():
        raise subject.failed("no docstring; its first line is the summary in every list")
    if info.kind in CITED and not info.paper.strip():
        raise subject.failed("paper is empty; cite the source, or write 'unpublished'")
    return info.summary


def parameters(subject: Subject) -> str:
    """Guards a run's identity: every value must be valid, and the same after a trip over JSON."""
    info = subject.info
    resolved = info.resolve({})
    for name, parameter in info.parameters.items():
        parameter.schema()
        if canonical(parameter.default) != canonical(resolved[name]):
            raise subject.failed(
                f"the default of {name} is {parameter.default!r}, but its annotation "
                f"{parameter.annotation} makes it {resolved[name]!r}; write that"
            )
    for name, given in info.declared.get("paper_params", {}).items():
        try:
            canonical(info.resolve(given))
        except Exception as error:
            raise subject.failed(f"paper_params[{name!r}]: {error}") from None
    return canonical(resolved)


COMMON = (Requirement("metadata", metadata), Requirement("parameters", parameters))
