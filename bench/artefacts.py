"""The noise artefact of a cell: what a noise model may look at, and the labels it gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.arrays import Prepared, folder
from bench.data.noise import ArtefactStore, NoiseArtefact
from bench.data.prepared import load
from bench.errors import DataError, nearest

if TYPE_CHECKING:
    from bench.api import DataInfo
    from bench.plugin_info import PluginInfo
    from bench.registry import Registry

Array = np.ndarray[Any, Any]

LABELS = "labels"
"""Folder of ``DATA_DIR`` for released label files."""
SHIPPED = Path(__file__).parent / "suites" / "labels"
"""Label files of bundled data that come with the suites."""


@dataclass(frozen=True)
class PreparedTrainingSet:
    """The training set of a prepared data set; implements ``bench.api.TrainingSet``."""

    prepared: Prepared
    registry: Registry
    data_dir: Path

    @property
    def info(self) -> DataInfo:
        """What planning knows."""
        return self.prepared.info

    @property
    def labels(self) -> Array:
        """True labels, or those given where the truth is not known."""
        return self.prepared.train.labels

    @property
    def given(self) -> Array | None:
        """Annotators' labels beside true ones."""
        return self.prepared.train.given

    @property
    def candidates(self) -> Array | None:
        """Candidate sets that came with the data."""
        return self.prepared.train.candidates

    @property
    def index(self) -> Array:
        """Canonical positions."""
        return self.prepared.train.index

    @property
    def inputs(self) -> Array:
        """Training inputs."""
        return self.prepared.train.inputs

    def file(self, name: str) -> Path:
        """An existing file: a path, else a name in ``DATA_DIR/labels``, else one that is shipped.

        Raises:
            DataError: there is no such file.
        """
        released = self.data_dir / LABELS
        candidates = (Path(name).expanduser(), released / name, SHIPPED / name)
        for path in candidates:
            if path.is_file():
                return path
        known = sorted(path.name for path in _files(released))
        raise DataError(
            f"no file {name}{nearest(Path(name).name, known)}; looked for "
            f"{' and '.join(str(path) for path in candidates[:2])}. A released file is kept there "
            f"with: python -m bench data labels FILE"
        )

    def posterior(self, *, folds: int, epochs: int) -> Array:
        """P(class | sample) ``(n, C)`` of cross-fitted networks, trained once and kept."""
        from bench.training.posterior import cached_posterior

        place = folder(self.info.name, self.data_dir) / "posterior"
        return cached_posterior(place, self.prepared.train, self.info, folds=folds, epochs=epochs)

    def other(self, dataset: str) -> tuple[str, Array]:
        """Fingerprint and training inputs of another prepared data set.

        Raises:
            DataError: it is not there; the message says how to bring it.
            PluginError: there is no such data set.
        """
        found = load(dataset, self.data_dir, self.registry)
        return found.info.fingerprint, found.train.inputs


def artefact(
    noise: str,
    params: dict[str, Any],
    seed: int,
    prepared: Prepared,
    registry: Registry,
    data_dir: Path,
) -> NoiseArtefact:
    """The wrong labels of a noise on a data set at a seed: as drawn before, else drawn now.

    Args:
        noise: the plugin's name.
        params: all its parameters.
        seed: of the suite.
        prepared: the data set.
        registry: where plugins come from.
        data_dir: where data sets, artefacts and label files lie.

    Raises:
        Incompatible: this noise cannot exist on this data set; says why.
        DataError: a file or a data set that it needs is absent or wrong.
    """
    info: PluginInfo = registry.get("noise", noise)
    plugin = registry.create("noise", noise, params)
    train = PreparedTrainingSet(prepared, registry, data_dir)
    store = artefact_store(prepared.info, data_dir)
    return store.get(plugin, params, info.source_sha, train, seed)


def artefact_store(data: DataInfo, data_dir: Path) -> ArtefactStore:
    """Where the artefacts of a data set are kept: beside it."""
    return ArtefactStore(folder(data.name, data_dir) / "noise")


def _files(place: Path) -> Iterable[Path]:
    return place.iterdir() if place.is_dir() else ()
