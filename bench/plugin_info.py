"""A plugin as it is known without its code: what listing, planning and the catalogue need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.params import Parameter, holding, resolve


@dataclass(frozen=True)
class PluginInfo:
    """A plugin as the catalogue knows it, without its code.

    Attributes:
        kind: one of ``bench.registry.KINDS``.
        name: as suites write it.
        summary: first line of its docstring.
        paper: its citation.
        file: where it is defined.
        line: where its definition starts.
        source_sha: hash of the file's code, part of a run's identity.
        parameters: what suites may set.
        declared: what it declares (``knows``, ``uses``, ``cost``, …), as JSON values.
        error: why it cannot be used; empty when it can.
    """

    kind: str
    name: str
    summary: str
    paper: str
    file: str
    line: int
    source_sha: str
    parameters: dict[str, Parameter] = field(default_factory=dict)
    declared: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def origin(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    def resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults overlaid with validated values; raises ``PluginError``."""
        return resolve(self.parameters, given)

    def told(self, params: Mapping[str, Any]) -> list[str]:
        """What a method is told with these resolved parameters."""
        return holding(self.declared["knows"], self.declared["knows_if"], params)
