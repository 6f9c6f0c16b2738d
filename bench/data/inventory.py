"""What is prepared, whether it is still what it was, and how to bring the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.api import DataInfo
from bench.data import prepared
from bench.errors import DataError

if TYPE_CHECKING:
    from bench.plugin_info import PluginInfo
    from bench.registry import Registry

State = Literal["prepared", "bundled", "absent", "damaged", "broken"]


@dataclass(frozen=True)
class Entry:
    """One data set that there is a plugin for.

    Attributes:
        name: as suites write it.
        summary: first line of its plugin's description.
        state: ``bundled`` is not prepared yet but needs nobody to bring it; ``broken`` has a
            plugin that cannot be loaded.
        info: its sizes and fingerprint where it is prepared.
        note: what is wrong, or how to bring it.
    """

    name: str
    summary: str
    state: State
    info: DataInfo | None
    note: str

    def as_dict(self) -> dict[str, Any]:
        """JSON form; sizes and fingerprint only where the set is prepared."""
        known = prepared.as_dict(self.info) if self.info else {}
        return {
            "name": self.name,
            "summary": self.summary,
            "state": self.state,
            **known,
            "note": self.note,
        }


def survey(data_dir: Path, registry: Registry) -> list[Entry]:
    """Every data set by name, without looking at any array; see ``verify`` for that."""
    return [_entry(plugin, data_dir, registry) for plugin in registry.all("dataset")]


def verify(name: str, data_dir: Path, registry: Registry) -> DataInfo:
    """Hash the arrays of a prepared set again; a bundled one is prepared first if it is absent.

    Raises:
        PluginError: no such data set.
        DataError: it is not prepared, or it is not what was prepared; says what differs.
    """
    bundled = registry.get("dataset", name).declared["bundled"]
    if bundled and not prepared.exists(name, data_dir):
        prepared.build(name, data_dir, registry)
    return prepared.checked(name, data_dir, registry).info


def _entry(plugin: PluginInfo, data_dir: Path, registry: Registry) -> Entry:
    name = plugin.name
    if plugin.error:
        return Entry(name, plugin.summary, "broken", None, plugin.error)
    if not prepared.exists(name, data_dir):
        if plugin.declared["bundled"]:
            return Entry(name, plugin.summary, "bundled", None, "prepared on first use")
        how = f"data fetch {name}, or data import {name} FILE"
        return Entry(name, plugin.summary, "absent", None, how)
    try:
        info = prepared.described(name, data_dir, registry)
    except DataError as error:
        return Entry(name, plugin.summary, "damaged", None, str(error))
    return Entry(name, plugin.summary, "prepared", info, "" if info.full else "a subset")
