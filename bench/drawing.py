"""The labels that a plan asks for: drawn where they must be, or the reason why they cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench.artefacts import artefact as artefact_of
from bench.data.arrays import Prepared
from bench.data.noise import NoiseArtefact
from bench.data.noise import check as check_noise
from bench.data.prepared import load
from bench.errors import Incompatible
from bench.records import NoiseSpec

if TYPE_CHECKING:
    from pathlib import Path

    from bench.api import DataInfo
    from bench.protocol import Named
    from bench.registry import Registry


@dataclass(frozen=True)
class Artefact:
    """A noise artefact and what it is an artefact of."""

    data: DataInfo
    noise: NoiseSpec
    seed: int
    content: NoiseArtefact


class NoiseSource:
    """Draws artefacts of one data set; reads its arrays only when something must be drawn."""

    def __init__(self, info: DataInfo, registry: Registry, data_dir: Path) -> None:
        self._info = info
        self._registry = registry
        self._data_dir = data_dir

    @cached_property
    def _prepared(self) -> Prepared:
        return load(self._info.name, self._data_dir, self._registry)

    def draw(self, item: Named, seeds: tuple[int, ...]) -> list[Artefact] | str:
        """One artefact a seed, or the reason why this noise cannot be."""
        info = self._registry.get("noise", item.name)
        params = info.resolve(item.params)
        noise = self._registry.create("noise", item.name, params)
        drawn = []
        try:
            check_noise(noise, self._info)
            for seed in seeds:
                content = artefact_of(
                    item.name, params, seed, self._prepared.at(seed), self._registry, self._data_dir
                )
                spec = NoiseSpec(item.name, noise.describe(), params, info.source_sha, content.sha)
                drawn.append(Artefact(self._info, spec, seed, content))
        except Incompatible as error:
            return str(error)
        return drawn
