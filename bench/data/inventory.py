"""What is prepared, whether it is still what it was, and how to bring the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bench.api import DataInfo, Dataset
from bench.data import arrays, prepared
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
    if bundled and not arrays.exists(name, data_dir):
        prepared.build(name, data_dir, registry)
    return prepared.checked(name, data_dir, registry).info


def verify_layout(name: str, source: Path, registry: Registry) -> str:
    """What a folder holds of a data set in its own layout, in words.

    Raises:
        DataError: files are missing; says how many and names the first.
    """
    from bench.data.importer import survey_layout

    dataset: Dataset = registry.create("dataset", name, {})
    if not dataset.layout:
        raise DataError(
            f"{name} has no layout of its own; import checks a copy: "
            f"python -m bench data import {name} {source}"
        )
    if type(dataset).read is not Dataset.read:
        if not source.exists():
            raise DataError(f"{source} is not there; the layout is:\n{dataset.layout}")
        train, test, names = dataset.read(source)
        said = f"{name} in {source}: {len(train.labels) + len(test.labels):,} samples"
        splits = "" if train.folds is None else f", {train.folds.shape[1]} splits"
        return f"{said}{splits}, {len(names)} classes, nothing is missing"
    listing, found = survey_layout(dataset, source)
    counts = []
    for part, files in found.found.items():
        per_class = np.bincount([f.label for f in files], minlength=len(listing.class_names))
        counts.append(
            f"{len(files):,} {part} images ({per_class.min():,} to {per_class.max():,} a class)"
        )
    said = f"{name} in {source}: {', '.join(counts)}, {len(listing.class_names)} classes"
    if found.missing:
        raise DataError(f"{said}; {found.describe_missing()}")
    return f"{said}, nothing is missing"


def _entry(plugin: PluginInfo, data_dir: Path, registry: Registry) -> Entry:
    name = plugin.name
    if plugin.error:
        return Entry(name, plugin.summary, "broken", None, plugin.error)
    if not arrays.exists(name, data_dir):
        if plugin.declared["bundled"]:
            return Entry(name, plugin.summary, "bundled", None, "prepared on first use")
        how = _how(plugin)
        return Entry(name, plugin.summary, "absent", None, how)
    try:
        info = prepared.described(name, data_dir, registry)
    except DataError as error:
        return Entry(name, plugin.summary, "damaged", None, str(error))
    return Entry(name, plugin.summary, "prepared", info, "" if info.full else "a subset")


def _how(plugin: PluginInfo) -> str:
    """How an absent data set is brought."""
    name, declared = plugin.name, plugin.declared
    if declared["derived_from"]:
        return f"made of {declared['derived_from']} on first use"
    if declared["layout"]:
        return f"data import {name} FOLDER, as released"
    if any(not parameter.default for parameter in plugin.parameters.values()):
        return "one line in a suite; its files are read on first use"
    return f"data fetch {name}, or data import {name} FILE"
