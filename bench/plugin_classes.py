"""What the classes of an imported plugin file say of themselves, checked."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from bench import catalogue
from bench.errors import PluginError, nearest
from bench.params import resolve
from bench.plugin_info import PluginInfo

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from bench.api import Plugin


def plugins_in(module: ModuleType) -> list[type[Plugin]]:
    """Plugin classes that the module itself defines (a decorated loss carries its class)."""
    from bench.api import Plugin

    found = []
    for value in vars(module).values():
        cls = getattr(value, "plugin", value)
        if (
            isinstance(cls, type)
            and issubclass(cls, Plugin)
            and cls.__module__ == module.__name__
            and isinstance(getattr(cls, "name", None), str)
            and cls not in found
        ):
            found.append(cls)
    return found


def kind_of(cls: type[Plugin]) -> str:
    """The kind of a plugin, by its base class."""
    from bench import api

    bases = {
        "method": api.Method,
        "dataset": api.Dataset,
        "noise": api.Noise,
        "refiner": api.Refiner,
        "backbone": api.Backbone,
    }
    for kind, base in bases.items():
        if issubclass(cls, base):
            return kind
    raise PluginError(f"{cls.__name__} is no Method, Dataset, Noise, Refiner or Backbone")


DECLARED = {
    "method": (
        *(
            "family",
            "learns_from",
            "knows",
            "knows_if",
            "uses",
            "n_networks",
            "fits_at_once",
            "has_head",
            "cost",
            "paper_params",
            "predicts",
        ),
    ),
    "dataset": (
        *("class_names", "official_size", "canonical_size", "bundled", "truth", "derived_from"),
        "layout",
    ),
    "noise": ("files", "needs_truth"),
    "refiner": ("uses_belief", "uses_held_out", "has_rank"),
    "backbone": (),
}
"""The class attributes that the catalogue keeps for each kind."""

OPTIONAL = {"method": ("search_space", "gpu_share")}
"""Those that it keeps where a plugin sets them."""


def describe(cls: type[Plugin], path: Path, text: str) -> PluginInfo:
    """What the catalogue keeps of a class.

    Args:
        cls: the plugin.
        path: its file.
        text: of the file.

    Raises:
        PluginError: something that the class declares cannot be.
    """
    from bench.source import source_sha
    from bench.tuning.space import search_space

    kind = kind_of(cls)
    declared = {key: _jsonable(getattr(cls, key)) for key in DECLARED[kind]}
    optional = {key: _jsonable(getattr(cls, key)) for key in OPTIONAL.get(kind, ())}
    declared |= {key: value for key, value in optional.items() if value}
    _check_declared(cls, declared)
    summary = (inspect.getdoc(cls) or "").partition("\n")[0].strip()
    line = catalogue.definition_line(text, cls.__name__)
    parameters = cls.parameters()
    resolve(parameters, {})
    info = PluginInfo(
        kind, cls.name, summary, cls.paper, str(path), line, source_sha(text), parameters, declared
    )
    if "search_space" in declared:
        search_space(info)
    return info


def _check_declared(cls: type[Plugin], declared: dict[str, Any]) -> None:
    from bench.api import KNOWLEDGE, USES

    for attribute, valid in (("knows", KNOWLEDGE), ("uses", USES)):
        for name in declared.get(attribute, ()):
            if name not in valid:
                raise PluginError(f"{cls.name}: {attribute} has {name!r}{nearest(name, valid)}")
    if not 0 <= declared.get("gpu_share", 0) <= 1:
        raise PluginError(f"{cls.name}: gpu_share is {declared['gpu_share']!r}; it is in 0..1")
    source = declared.get("learns_from", "labels")
    if source not in ("labels", "candidates"):
        raise PluginError(f"{cls.name}: learns_from is {source!r}; it is labels or candidates")
    for condition in declared.get("knows_if", {}).values():
        for key in condition.keys() - cls.parameters().keys():
            raise PluginError(f"{cls.name}: knows_if names {key!r}, which is no parameter")


def _jsonable(value: Any) -> Any:
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "items"):
        return {key: _jsonable(item) for key, item in value.items()}
    return value
