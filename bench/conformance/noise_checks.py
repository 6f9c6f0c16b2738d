"""Does a noise model corrupt labels as it says, and repeatably?"""

from __future__ import annotations

import dataclasses
import random
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bench.conformance.fixture import data_info, global_generators
from bench.conformance.noise_fixture import FixtureTrainingSet
from bench.conformance.plugin_checks import COMMON
from bench.conformance.result import Requirement, Skipped
from bench.conformance.subject import Subject
from bench.data.noise import check, check_foreign, realised_matrix
from bench.errors import Incompatible, PluginError

if TYPE_CHECKING:
    from bench.api import DataInfo, Foreign, Noise

    Array = np.ndarray[Any, Any]

PER_CLASS = 2000
"""Labels that are drawn for each class."""
UNUSUAL = 271_828_182
"""A seed that no plugin will choose."""
DEVIATIONS = 5.0
"""Standard deviations that a realised share may be away from its nominal one."""


class NoiseSubject(Subject):
    """A noise model and a data set that it can exist on."""

    @cached_property
    def data(self) -> DataInfo:
        """The fixture's four classes, else the first registered data set that it accepts.

        Raises:
            Failed: it refuses them all.
        """
        named = self.registry.all("dataset")
        known = [(i.name, tuple(i.declared["class_names"])) for i in named if not i.error]
        candidates = [data_info(), *(data_info(class_names=c, name=n) for n, c in known if c)]
        candidates.append(dataclasses.replace(data_info(), given=True))
        reason = ""
        for data in candidates:
            try:
                check(self.new(), data)
                return dataclasses.replace(data, n_train=PER_CLASS * data.n_classes)
            except Incompatible as error:
                reason = reason or str(error)
        raise self.failed(
            f"check() refuses every data set ({reason}); set example = {{parameter: value}} on the "
            f"class to values that fit a registered one",
            "check",
        )

    @property
    def train(self) -> FixtureTrainingSet:
        """``PER_CLASS`` samples of each class, anew each time: a plugin may spoil them."""
        return FixtureTrainingSet(self.data, PER_CLASS)

    @property
    def labels(self) -> Array:
        """True labels ``(n,)`` int64."""
        return self.train.labels

    def draw(self, seed: int = 0, train: FixtureTrainingSet | None = None) -> Array:
        """Given labels for ``labels``, or candidate sets where the noise makes those."""
        noise: Noise = self.new()
        train = train or self.train
        rng = np.random.default_rng(seed)
        sets = noise.candidates(train, rng)
        return np.asarray(noise.corrupt(train, rng) if sets is None else sets)

    def matrix(self) -> Array:
        """The nominal matrix. Raises ``Skipped`` when this noise has none."""
        matrix = self.new().transition_matrix(self.data)
        if matrix is None:
            raise Skipped("has no transition matrix: it does not depend on the class alone")
        return np.asarray(matrix)


def accepts(subject: NoiseSubject) -> str:
    """Guards planning: there must be data that this noise can be planned on, and a label for it."""
    if not subject.new().describe().strip():
        raise subject.failed("describe() is empty; it labels the noise in every table", "describe")
    return f"{subject.new().describe()} on {subject.data.name}"


def matrix(subject: NoiseSubject) -> str:
    """Guards every method that is told the matrix: rows are distributions over given labels."""
    found, shape = subject.matrix(), (subject.data.n_classes,) * 2
    if found.shape != shape:
        raise subject.failed(f"the matrix is {found.shape}, not {shape}", "transition_matrix")
    if not np.isfinite(found).all() or found.min() < 0:
        raise subject.failed("the matrix has a negative or infinite entry", "transition_matrix")
    sums = found.sum(axis=1)
    if not np.allclose(sums, 1):
        worst = int(np.abs(sums - 1).argmax())
        raise subject.failed(
            f"row {worst} of the matrix sums to {sums[worst]:.4f}; rows are true classes and sum "
            f"to 1",
            "transition_matrix",
        )
    return f"{shape[0]}x{shape[1]}, rows sum to 1"


def labels(subject: NoiseSubject) -> str:
    """Guards the artefact: integers, one for each sample, each a class of the data set."""
    given = subject.draw()
    if given.ndim == 2:
        return _candidate_sets(subject, given)
    if given.shape != subject.labels.shape or given.dtype.kind not in "iu":
        raise subject.failed(
            f"corrupt() returns {given.shape} {given.dtype}, not {subject.labels.shape} integers",
            "corrupt",
        )
    if given.min() < 0 or given.max() >= subject.data.n_classes:
        raise subject.failed(
            f"corrupt() gives labels {given.min()}..{given.max()}; the classes are "
            f"0..{subject.data.n_classes - 1}",
            "corrupt",
        )
    return f"{float((given != subject.labels).mean()):.4f} of {len(given)} wrong"


def _candidate_sets(subject: NoiseSubject, sets: Array) -> str:
    shape = (len(subject.labels), subject.data.n_classes)
    if sets.shape != shape or sets.dtype != np.bool_:
        raise subject.failed(
            f"candidates() returns {sets.shape} {sets.dtype}, not {shape} bool", "candidates"
        )
    empty = np.flatnonzero(~sets.any(axis=1))
    if len(empty):
        raise subject.failed(
            f"candidates() leaves {len(empty)} sets empty; every set holds a label", "candidates"
        )
    lacking = 1 - sets[np.arange(len(sets)), subject.labels].mean()
    return f"{sets.sum(axis=1).mean():.2f} candidates on average, {lacking:.4f} lack the true label"


def realised(subject: NoiseSubject) -> str:
    """Guards the declared rate: shares as drawn must be within chance of the nominal matrix."""
    nominal = subject.matrix()
    found = realised_matrix(subject.labels, subject.draw(), subject.data.n_classes)
    spread = np.sqrt(nominal * (1 - nominal) / PER_CLASS)
    # One part in PER_CLASS more for cells that are almost empty, where a binomial is no normal.
    excess = np.abs(found - nominal) - DEVIATIONS * (spread + 1 / PER_CLASS)
    true, given = np.unravel_index(int(excess.argmax()), excess.shape)
    if excess[true, given] > 0:
        raise subject.failed(
            f"true class {true} becomes {given} with share {found[true, given]:.4f} in "
            f"{PER_CLASS} draws, but the matrix says {nominal[true, given]:.4f}; make corrupt() "
            f"and transition_matrix() agree",
            "corrupt",
        )
    return f"within {DEVIATIONS:g} standard deviations of the matrix"


def deterministic(subject: NoiseSubject) -> str:
    """Guards equal labels for every method: all randomness comes from the generator given."""
    if not np.array_equal(subject.draw(seed=1), subject.draw(seed=1)):
        raise subject.failed(
            "two draws from equal generators differ; take all random numbers from rng", "corrupt"
        )
    changed = not np.array_equal(subject.draw(seed=1), subject.draw(seed=2))
    if not changed and not _is_fixed(subject):
        raise subject.failed(
            "draws from different generators are equal; take random numbers from rng", "corrupt"
        )
    return "equal generators, equal labels"


def _is_fixed(subject: NoiseSubject) -> bool:
    """True for labels that exist already: nothing is drawn."""
    fixed = [subject.labels] if subject.train.given is None else [subject.train.given]
    return any(np.array_equal(subject.draw(seed=1), labels) for labels in fixed)


def replaced(subject: NoiseSubject) -> str:
    """Guards open-set noise: what replaces samples fits them, and is repeatable."""

    def draw(seed: int) -> Foreign | None:
        rng = np.random.default_rng(seed)
        noise: Noise = subject.new()
        if noise.candidates(subject.train, rng) is None:
            noise.corrupt(subject.train, rng)
        return noise.replace(subject.train, rng)

    first, again = draw(1), draw(1)
    if first is None and again is None:
        return "replaces no inputs"
    if first is None or again is None:
        raise subject.failed("two draws from equal generators differ", "replace")
    if not np.array_equal(first.rows, again.rows) or not np.array_equal(first.inputs, again.inputs):
        raise subject.failed("two draws from equal generators differ", "replace")
    try:
        check_foreign(subject.new(), first, subject.train)
    except PluginError as error:
        raise subject.failed(str(error), "replace") from None
    return f"{len(first.rows)} of {len(subject.labels)} inputs replaced"


def leaves_globals_alone(subject: NoiseSubject) -> str:
    """Guards everything drawn afterwards: global generators must not move."""
    # From a state of its own: seed(0) does not move a generator that stands at seed 0.
    torch.manual_seed(UNUSUAL)
    np.random.seed(UNUSUAL)  # noqa: NPY002 - it is the global generator that is watched
    random.seed(UNUSUAL)
    torch_before, numpy_before, python_before = global_generators()
    subject.draw()
    torch_after, numpy_after, python_after = global_generators()
    moved = {
        "torch": not torch.equal(torch_before, torch_after),
        "numpy.random": any(
            not np.array_equal(a, b) for a, b in zip(numpy_before, numpy_after, strict=True)
        ),
        "random": python_before != python_after,
    }
    for name, is_moved in moved.items():
        if is_moved:
            raise subject.failed(
                f"corrupt() moves the global generator of {name}; draw from rng", "corrupt"
            )
    return "global generators untouched"


def leaves_source_alone(subject: NoiseSubject) -> str:
    """Guards the true labels: they are what accuracy is measured against."""
    train = subject.train
    subject.draw(train=train)
    if not np.array_equal(train.labels, subject.labels):
        raise subject.failed(
            "corrupt() changes the true labels it is given; start from train.labels.copy()",
            "corrupt",
        )
    return "true labels untouched"


REQUIREMENTS = (
    *COMMON,
    Requirement("accepts data", accepts),
    Requirement("matrix", matrix, ("accepts data",)),
    Requirement("labels", labels, ("accepts data",)),
    Requirement("realised rate", realised, ("matrix", "labels")),
    Requirement("deterministic", deterministic, ("labels",)),
    Requirement("global generators", leaves_globals_alone, ("labels",)),
    Requirement("source labels", leaves_source_alone, ("labels",)),
    Requirement("replaced inputs", replaced, ("labels",)),
)
