"""The labels that a plan asks for: drawn where they must be, or the reason why they cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from bench.artefacts import PreparedTrainingSet, artefact_store
from bench.data.arrays import Prepared
from bench.data.artefact_index import ArtefactIndex, Known
from bench.data.noise import NoiseArtefact
from bench.data.noise import check as check_noise
from bench.data.prepared import load
from bench.errors import Incompatible
from bench.training_spec import NoiseSpec

if TYPE_CHECKING:
    from pathlib import Path

    from bench.api import DataInfo
    from bench.protocol import Named
    from bench.registry import Registry


@dataclass(frozen=True)
class Artefact:
    """A noise artefact and what it is an artefact of; its labels are read when they are asked for.

    A plan may hold thousands, and needs the labels of those only that the database lacks.
    """

    data: DataInfo
    noise: NoiseSpec
    seed: int
    known: Known
    read: Callable[[], NoiseArtefact] = field(repr=False, compare=False)

    @property
    def sha(self) -> str:
        """Its identity."""
        return self.known.sha

    @property
    def rate(self) -> float | None:
        """Realised share of wrong labels; None where nobody knows the true ones."""
        return self.known.rate

    @property
    def partial(self) -> bool:
        """Whether it gives candidate sets in place of labels."""
        return self.known.partial

    @cached_property
    def content(self) -> NoiseArtefact:
        """The labels, checked against their hash; drawn anew where the file is damaged."""
        return self.read()


class NoiseSource:
    """Draws artefacts of one data set, and opens those only that it has not seen before."""

    def __init__(self, info: DataInfo, registry: Registry, data_dir: Path) -> None:
        self._info = info
        self._registry = registry
        self._data_dir = data_dir
        self._store = artefact_store(info, data_dir)
        self._index = ArtefactIndex(self._store.folder, truth=info.truth)

    @cached_property
    def _prepared(self) -> Prepared:
        return load(self._info.name, self._data_dir, self._registry)

    def draw(self, item: Named, seeds: tuple[int, ...]) -> list[Artefact] | str:
        """One artefact a seed, or the reason why this noise cannot be."""
        info = self._registry.get("noise", item.name)
        params = info.resolve(item.params)
        noise = self._registry.create("noise", item.name, params)
        label = noise.describe()
        drawn = []
        try:
            check_noise(noise, self._info)
            for seed in seeds:
                prepared = self._prepared.at(seed)
                train = PreparedTrainingSet(prepared, self._registry, self._data_dir)
                asked = (noise, params, info.source_sha, train, seed)
                name = self._store.name(*asked)
                known = self._index.get(name)
                if known is None:
                    known = Known.of(self._store.get(*asked))
                    self._index.put(name, known)
                spec = NoiseSpec(item.name, label, params, info.source_sha, known.sha)
                read = partial(self._store.get, *asked)
                drawn.append(Artefact(self._info, spec, seed, known, read))
        except Incompatible as error:
            return str(error)
        finally:
            self._index.save()
        return drawn
