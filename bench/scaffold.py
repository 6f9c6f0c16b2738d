"""New plugin files from templates, and the suite that tries one out."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import keyword
import re
import sys
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from bench.errors import BenchError, PluginError, nearest
from bench.registry import KINDS

if TYPE_CHECKING:
    from bench.plugin_info import PluginInfo
    from bench.registry import Registry

TEMPLATES = Path(__file__).parent / "templates"
LEVELS = ("loss", "state", "regime")
"""How much of a training a method takes over: the loss, state for each sample, whole epochs."""


def identifier_of(name: str) -> str:
    """``my-loss``, ``my_loss`` and ``MyLoss`` as ``my_loss``.

    Raises:
        BenchError: it cannot name a Python file and a plugin.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).replace("-", "_").lower()
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", words) or keyword.iskeyword(words):
        raise BenchError(
            f"{name!r} cannot name a plugin; use letters, digits and - or _, a letter first, and "
            f"no word of Python itself, for example my-loss"
        )
    return words


def plugin_name(identifier: str) -> str:
    """``my_loss`` as suites write it: ``my-loss``."""
    return identifier.replace("_", "-")


def shipped_folder(kind: str) -> Path:
    """The folder that is always searched for plugins of this kind."""
    spec = importlib.util.find_spec(KINDS[kind])
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"package {KINDS[kind]} is missing; run: make install")
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def render(kind: str, identifier: str, level: str | None = None) -> str:
    """The text of a new plugin file.

    Args:
        kind: one of ``KINDS``.
        identifier: as ``identifier_of`` gives it.
        level: one of ``LEVELS``; methods only.

    Raises:
        BenchError: no such kind or level, or the file would define one of its own imports anew.
    """
    if kind not in KINDS:
        raise BenchError(f"there is no kind of plugin {kind!r}{nearest(kind, KINDS)}")
    if level is not None and kind != "method":
        raise BenchError(f"--level is for methods; a {kind} has none")
    if level is not None and level not in LEVELS:
        raise BenchError(f"--level has no {level!r}{nearest(level, LEVELS)}")
    file = f"method_{level or LEVELS[0]}" if kind == "method" else kind
    words = identifier.split("_")
    text = Template((TEMPLATES / f"{file}.py.txt").read_text(encoding="utf-8")).substitute(
        name=plugin_name(identifier),
        title=" ".join(words).capitalize(),
        identifier=identifier,
        class_name="".join(word.capitalize() for word in words),
    )
    twice = _defined_twice(text)
    if twice:
        raise BenchError(f"the file would import and define {twice!r}; choose another name")
    return text


def write_plugin(
    kind: str,
    name: str,
    registry: Registry,
    *,
    level: str | None = None,
    folder: Path | None = None,
    force: bool = False,
) -> Path:
    """Write a new plugin file and give its path.

    Args:
        kind: one of ``KINDS``.
        name: in any spelling that ``identifier_of`` takes.
        registry: what there is already, so that no name is given twice.
        level: one of ``LEVELS``; methods only.
        folder: where to; default is the folder that is searched for this kind.
        force: overwrite a file that holds the plugin of this very name.

    Raises:
        BenchError: the name is taken or impossible, or the file is there or cannot be written.
    """
    identifier = identifier_of(name)
    text = render(kind, identifier, level)
    path = (folder.resolve() if folder else shipped_folder(kind)) / f"{identifier}.py"
    taken = [i for i in registry.all(kind) if i.name == plugin_name(identifier)]
    mine = [info for info in taken if Path(info.file) == path]
    if taken and not mine:
        raise BenchError(
            f"there is a {kind} {taken[0].name!r} already ({taken[0].origin}); choose another name"
        )
    if path.exists() and not force:
        raise BenchError(f"{path} exists; --force overwrites it")
    if path.exists() and not mine:
        raise BenchError(
            f"{path} exists and is not the {kind} {plugin_name(identifier)!r}, so it is not "
            f"overwritten; choose another name"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchError(
            f"{path} cannot be written ({error.strerror}); name a folder with --folder"
        ) from None
    _forget(path)
    return path


def trial(info: PluginInfo) -> str:
    """A suite, as one line of YAML, that tries a plugin on little data beside the plainest one."""
    both = {"method": ["ce"], "noise": ["clean"], "refiner": ["off"]}.get(info.kind, [])
    names = ", ".join(dict.fromkeys([*both, info.name]))
    changed = {
        "dataset": f"datasets: [{names}], noises: [clean, symmetric], protocol: {{backbone: mlp}}",
        "backbone": f"protocol: {{backbone: {names}}}",
    }.get(info.kind, f"{info.kind}s: [{names}]")
    return f"{{suite: {info.name}, extends: digits, {changed}}}"


def commands(info: PluginInfo) -> list[str]:
    """What to type after a plugin was written: check it, see it listed, run it in a suite."""
    file = Path(info.file)
    shipped = file.is_relative_to(shipped_folder(info.kind))
    option = "" if shipped else f" --plugin {shown(file)}"
    suite = f"{info.name}.yaml"
    return [
        f"python -m bench check {shown(file)}",
        f"python -m bench list {info.kind}s{option}",
        f'echo "{trial(info)}" > {suite} && python -m bench run {suite} --budget smoke{option}',
    ]


def shown(path: Path) -> str:
    """A path as short as it can be typed from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _forget(path: Path) -> None:
    """Let the file be imported anew: what an overwritten one defined is no longer true."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) == str(path):
            del sys.modules[name]
    importlib.invalidate_caches()


def _defined_twice(text: str) -> str:
    """A name that a module imports and then defines at its top level; empty when there is none."""
    tree = ast.parse(text)
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    defined = {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    return next(iter(imported & defined), "")
