"""The machine file: what a cluster wants to be told, by engine and perhaps by suite.

::

    slurm: {partition: gpu, time_min: 240, mem_gb: 16, gpus: 1}
    ray: {address: auto}
    suites:
      cifar100: {slurm: {time_min: 1440}}

None of it is part of a training's identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bench.engines.engine import ENGINES
from bench.errors import BenchError, nearest


def engine_options(
    file: Path | None, engine: str, suite: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Options of an engine: the file's < those it has for the suite < those of the command line.

    Raises:
        BenchError: the file cannot be read or is no machine file.
    """
    content = _read(file) if file is not None else {}
    of_suite = content.get("suites", {}).get(suite, {})
    return {**content.get(engine, {}), **of_suite.get(engine, {}), **given}


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(f"machine file {file}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise BenchError(f"machine file {file} is no YAML: {error}") from None
    sections = _sections(content, str(file))
    suites = sections.get("suites", {})
    if not isinstance(suites, dict):
        raise BenchError(f"machine file {file}: suites takes a mapping of suite names")
    for name, of_suite in suites.items():
        if "suites" in _sections(of_suite, f"{file}: suites.{name}"):
            raise BenchError(f"machine file {file}: suites.{name} cannot hold suites")
    return sections


def _sections(content: Any, where: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise BenchError(f"machine file {where}: a mapping of engines is wanted")
    for name, section in content.items():
        if name not in (*ENGINES, "suites"):
            raise BenchError(f"machine file {where}: {name!r}{nearest(name, [*ENGINES, 'suites'])}")
        if not isinstance(section, dict):
            raise BenchError(f"machine file {where}: {name} takes a mapping of options")
    return content
