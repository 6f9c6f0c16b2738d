"""Finds plugins: the shipped folders, ``--plugin FILE``, ``LIPBENCH_PLUGINS`` and entry points.

``discover()`` describes every plugin without importing what is already in the catalogue cache;
``create()`` imports one and makes an instance. A file that fails to import is kept as a broken
plugin with its error, and hides nothing else.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import catalogue
from bench.errors import PluginError, nearest
from bench.identity import content_sha
from bench.plugin_classes import describe, kind_of, plugins_in
from bench.plugin_info import PluginInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType


log = logging.getLogger(__name__)

KINDS: dict[str, str] = {
    "method": "methods",
    "dataset": "datasets",
    "noise": "datasets.noise",
    "refiner": "bench.refine",
    "backbone": "bench.backbones",
}
"""Each kind of plugin and the package whose files are searched for it."""


class Registry:
    """All plugins of this process, by kind and name."""

    def __init__(self, infos: Iterable[PluginInfo], extra_files: tuple[Path, ...] = ()) -> None:
        self.extra_files = extra_files
        """Files named with ``--plugin`` or ``LIPBENCH_PLUGINS``; workers are given them too."""
        self._bound: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
        self._found: dict[tuple[str, str], PluginInfo] = {}
        for info in infos:
            other = self._found.get((info.kind, info.name))
            if other is not None and other.file != info.file and not (other.error or info.error):
                raise PluginError(
                    f"two {info.kind} plugins are called {info.name!r}: "
                    f"{other.origin} and {info.origin}; rename one"
                )
            if other is None or other.error:
                self._found[info.kind, info.name] = info

    def all(self, kind: str) -> list[PluginInfo]:
        """Every plugin of a kind by name, broken ones included."""
        return sorted((i for (k, _), i in self._found.items() if k == kind), key=lambda i: i.name)

    def get(self, kind: str, name: str) -> PluginInfo:
        """One usable plugin. Raises ``PluginError`` with the nearest name or the import error."""
        plugin, _ = self._bound.get((kind, name), (name, {}))
        info = self._found.get((kind, plugin))
        if info is None:
            names = [i.name for i in self.all(kind) if not i.error]
            raise PluginError(
                f"unknown {kind} {name!r}{nearest(name, names)} "
                f"(python -m bench list {_plural(kind)} shows all)"
            )
        if info.error:
            raise PluginError(f"{kind} {name!r} cannot be loaded from {info.origin}: {info.error}")
        return info

    def bind(self, kind: str, name: str, params: Mapping[str, Any]) -> str:
        """A name for a plugin with some of its parameters set; its own where that changes nothing.

        ``get`` and ``create`` know the new name from then on. The same parameters give the same
        name in every process.

        Raises:
            PluginError: no such plugin, or a parameter is wrong.
        """
        info = self.get(kind, name)
        resolved = info.resolve(params)
        if resolved == info.resolve({}):
            return name
        bound = f"{name}-{content_sha(resolved)[:8]}"
        self._bound[kind, bound] = (name, resolved)
        return bound

    def create(self, kind: str, name: str, params: Mapping[str, Any]) -> Any:
        """An instance with resolved parameters; imports the plugin's file."""
        info = self.get(kind, name)
        _, fixed = self._bound.get((kind, name), (name, {}))
        for cls in plugins_in(import_file(Path(info.file))):
            if kind_of(cls) == kind and cls.name == info.name:
                return cls(**{**fixed, **params})
        raise PluginError(f"{info.file} no longer defines {kind} {info.name!r}")

    def imported_sha(self, kind: str, name: str) -> str:
        """Hash of the code that ``create`` runs in this process: its file may have changed since.

        Empty where the file changed while it was imported.
        """
        from bench.source import source_sha

        path = Path(self.get(kind, name).file)
        text = _IMPORTED.get(import_file(path).__name__)
        return source_sha(path.read_text(encoding="utf-8") if text is None else text)


def discover(extra: Iterable[str | Path] = ()) -> Registry:
    """The registry of everything that can be found now.

    Args:
        extra: plugin files, beside those in ``LIPBENCH_PLUGINS`` (separated like ``PATH``).

    Raises:
        PluginError: an extra file does not exist, or two plugins share a name.
    """
    variable = [f for f in os.environ.get("LIPBENCH_PLUGINS", "").split(os.pathsep) if f]
    extra_files = []
    for name in [*variable, *map(str, extra)]:
        path = Path(name).resolve()
        if not path.is_file():
            raise PluginError(f"no plugin file {path}; --plugin takes the path of a .py file")
        if path not in extra_files:
            extra_files.append(path)
    files = [*_shipped_files(), *_entry_point_files()]
    files += [path for path in extra_files if path not in files]
    cache = catalogue.load()
    infos: list[PluginInfo] = []
    for path in files:
        infos += _describe_file(path, cache)
    cache.save()
    return Registry(infos, tuple(extra_files))


def _shipped_files() -> list[Path]:
    files: list[Path] = []
    for package in KINDS.values():
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise PluginError(f"package {package} is missing; run: make install")
        for folder in spec.submodule_search_locations:
            place = Path(folder).resolve()
            shown = (p for p in place.rglob("*.py") if _is_shown(p, place))
            files += sorted(p.resolve() if p.is_symlink() else p for p in shown)
    return list(dict.fromkeys(files))


def _is_shown(path: Path, folder: Path) -> bool:
    return not any(part[0] in "_." for part in path.relative_to(folder).parts)


GROUP = "lipbench.plugins"
"""The entry points of installed packages that are plugins."""


def _names_plugins(folder: str) -> bool:
    """Whether a package in this folder of ``sys.path`` may have entry points for us.

    Looking for the name in files takes a tenth of the time that parsing all metadata does.
    """
    place = folder or os.curdir
    if not os.path.isdir(place):
        return os.path.exists(place)  # an archive: only importlib can look into it
    return any(
        GROUP in path.read_text(encoding="utf-8", errors="replace")
        for kind in ("dist", "egg")
        for path in Path(place).glob(f"*.{kind}-info/entry_points.txt")
    )


def _entry_point_files() -> list[Path]:
    files: list[Path] = []
    if not any(map(_names_plugins, sys.path)):
        return files
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            spec = importlib.util.find_spec(point.value.partition(":")[0])
        except (ImportError, ValueError) as error:
            log.warning("entry point %s cannot be found: %s", point.name, error)
            continue
        if spec is None or spec.origin is None:
            log.warning("entry point %s names no file: %s", point.name, point.value)
        else:
            files.append(Path(spec.origin).resolve())
    return files


def _describe_file(path: Path, cache: catalogue.Catalogue) -> list[PluginInfo]:
    text = path.read_text(encoding="utf-8", errors="replace")
    known = cache.get(path, text)
    if known is not None:
        return known
    try:
        infos = [describe(cls, path, text) for cls in plugins_in(import_file(path))]
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return [catalogue.broken(path, text, _kind_by_folder(path), _reason(error))]
    cache.put(path, text, infos)
    return infos


_IMPORTED: dict[str, str] = {}
"""Module of a plugin -> the text it was imported from."""


def import_file(path: Path) -> ModuleType:
    """The module of a plugin file, imported once; by its package name when it is shipped."""
    for module in list(sys.modules.values()):
        file = str(getattr(module, "__file__", None) or "")
        # Resolving the paths of all modules would take half a second at every call.
        if file.endswith(path.name) and Path(file).resolve() == path:
            return module
    before = path.read_bytes()
    module = _import(path)
    same = path.read_bytes() == before
    _IMPORTED[module.__name__] = before.decode("utf-8", "replace") if same else ""
    return module


def _import(path: Path) -> ModuleType:
    for package in sorted(KINDS.values(), key=len, reverse=True):
        spec = importlib.util.find_spec(package)
        locations = spec.submodule_search_locations if spec else None
        for folder in locations or ():
            if path.is_relative_to(Path(folder).resolve()):
                inside = path.relative_to(Path(folder).resolve()).with_suffix("")
                return importlib.import_module(".".join([package, *inside.parts]))
    name = f"lipbench_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _kind_by_folder(path: Path) -> str:
    """What a file that does not load would most likely be."""
    folders = {package.rpartition(".")[2]: kind for kind, package in KINDS.items()}
    return folders.get(path.parent.name, "method")


def _plural(kind: str) -> str:
    return f"{kind}s"


def _reason(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({last[0].filename}:{last[0].lineno})" if last else ""
    if isinstance(error, SyntaxError):
        where = f" ({error.filename}:{error.lineno})"
        return f"SyntaxError: {error.msg}{where}"
    return f"{type(error).__name__}: {error}{where}"
