"""What a noise did to a data set's labels, in numbers and examples."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.noise import OPEN, NoiseArtefact, draw, seed_of
from bench.errors import Incompatible

if TYPE_CHECKING:
    from bench.api import Noise, TrainingSet

Array = np.ndarray[Any, Any]

EXAMPLES = 12
SIDE = 64
"""Pixels a side that an example has at most."""


@dataclass(frozen=True)
class Disagreement:
    """The same words in another convention of the field.

    Attributes:
        convention: what the other one is called.
        rate: share of wrong labels that it gives at the same nominal rate and seed.
        share: of samples whose label, or set of candidates, differs between the two.
    """

    convention: str
    rate: float
    share: float


@dataclass(frozen=True)
class NoiseAudit:
    """One artefact, audited.

    Attributes:
        noise: its label in tables.
        dataset: its label.
        seed: of the suite.
        sha: of the artefact.
        n: samples.
        class_names: in the order of their ids.
        nominal_rate: share of wrong labels that was asked for; None where the noise names none.
        realised_rate: as counted; None where nobody knows the true labels.
        open_rate: share of inputs that belong to no class.
        class_rates: realised rate of each true class ``(C,)``; NaN for a class without samples.
        true_counts: samples of each true class ``(C,)``, foreign ones left out.
        given_counts: samples of each given label ``(C,)``; of each candidate for sets.
        matrix: realised P(given | true) ``(C, C)``, where it is known; for candidate sets the share
            of each true class's sets that hold a label, whose rows need not sum to 1.
        nominal: the matrix that was asked for, where there is one.
        mean_set_size: of candidate sets.
        disagreements: with the noise's other conventions.
    """

    noise: str
    dataset: str
    seed: int
    sha: str
    n: int
    class_names: tuple[str, ...]
    nominal_rate: float | None
    realised_rate: float | None
    open_rate: float
    class_rates: Array | None
    true_counts: Array | None
    given_counts: Array
    matrix: Array | None
    nominal: Array | None
    mean_set_size: float | None
    disagreements: tuple[Disagreement, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, for JSON."""
        found = {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in vars(self).items()
        }
        found["disagreements"] = [vars(other) for other in self.disagreements]
        found["class_names"] = list(self.class_names)
        return found


@dataclass(frozen=True)
class Example:
    """A training image under its given label.

    Attributes:
        sample: canonical index.
        true: class id; None where nobody knows it, or it belongs to no class.
        foreign: True where the image belongs to no class.
        given: class id.
        png: the image.
    """

    sample: int
    true: int | None
    foreign: bool
    given: int
    png: bytes


def audit(noise: Noise, artefact: NoiseArtefact, train: TrainingSet, seed: int) -> NoiseAudit:
    """Count everything."""
    data, given = train.info, artefact.labels
    n_classes = data.n_classes
    true = artefact.true(train, known=data.truth)
    rates = counts = None
    matrix = artefact.matrix
    if true is not None:
        closed = true != OPEN
        counts = np.bincount(true[closed], minlength=n_classes)
        if artefact.candidates is None:
            hits = given == true
        else:
            hits = artefact.candidates[np.arange(len(true)), true]
            matrix = _membership(true, artefact.candidates)
        wrong = np.bincount(true[closed], weights=~hits[closed], minlength=n_classes)
        rates = np.divide(wrong, counts, out=np.full(n_classes, np.nan), where=counts > 0)
    if artefact.candidates is None:
        given_counts = np.bincount(given, minlength=n_classes)
    else:
        given_counts = artefact.candidates.sum(axis=0)
    return NoiseAudit(
        noise=noise.describe(),
        dataset=data.label,
        seed=seed,
        sha=artefact.sha,
        n=len(given),
        class_names=data.class_names,
        nominal_rate=nominal_rate(noise, artefact, train),
        realised_rate=artefact.rate,
        open_rate=artefact.open_rate,
        class_rates=rates,
        true_counts=counts,
        given_counts=given_counts,
        matrix=matrix,
        nominal=artefact.nominal,
        mean_set_size=artefact.mean_set_size,
        disagreements=_disagreements(noise, artefact, train, seed),
    )


def nominal_rate(noise: Noise, artefact: NoiseArtefact, train: TrainingSet) -> float | None:
    """The share of wrong labels that was asked for.

    From the matrix that was asked for and the class counts, and the share of foreign inputs; else
    the noise's own parameter ``rate``.
    """
    if artefact.nominal is None or not train.info.truth:
        rate = getattr(noise, "rate", None)
        return None if rate is None else float(rate)
    prior = np.bincount(train.labels, minlength=train.info.n_classes) / len(train.labels)
    kept = float(prior @ np.diag(artefact.nominal))
    return 1 - kept * (1 - artefact.open_rate)


def examples(artefact: NoiseArtefact, train: TrainingSet) -> list[Example]:
    """Up to twelve images whose label is wrong, spread over the classes; of any where unknown.

    The choice depends on the labels alone. Feature tables have none.
    """
    if train.inputs.ndim != 4:
        return []
    true = artefact.true(train, known=train.info.truth)
    given = artefact.labels
    if artefact.candidates is not None:
        return []
    rows = np.arange(len(given)) if true is None else np.flatnonzero(given != true)
    groups = given if true is None else true
    chosen: list[int] = []
    members = [rows[groups[rows] == group] for group in np.unique(groups[rows])]
    for depth in range(EXAMPLES):
        chosen += [int(group[depth]) for group in members if depth < len(group)]
        if len(chosen) >= EXAMPLES:
            break
    foreign = artefact.foreign
    replaced = {} if foreign is None else {int(row): i for i, row in enumerate(foreign.rows)}
    found = []
    for row in chosen[:EXAMPLES]:
        if row in replaced and foreign is not None:
            pixels = foreign.inputs[replaced[row]]
        else:
            pixels = train.inputs[row]
        known = None if true is None or row in replaced else int(true[row])
        sample = int(train.index[row])
        found.append(Example(sample, known, row in replaced, int(given[row]), png(pixels)))
    return found


def png(pixels: Array) -> bytes:
    """An image ``(h, w, c)`` uint8 as PNG; a dark one (such as digits, 0 to 16) is stretched."""
    from PIL import Image

    values = np.asarray(pixels)
    if values.max(initial=0) <= 16:
        values = (values * 15).astype(np.uint8)
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _disagreements(
    noise: Noise, artefact: NoiseArtefact, train: TrainingSet, seed: int
) -> tuple[Disagreement, ...]:
    found = []
    for convention, other in noise.conventions().items():
        params = {key: getattr(other, key) for key in other.parameters()}
        try:
            drawn = draw(other, train, seed_of(train.info.fingerprint, other.name, params, seed))
        except Incompatible:
            continue
        if drawn.candidates is None or artefact.candidates is None:
            differs = drawn.labels != artefact.labels
        else:
            differs = (drawn.candidates != artefact.candidates).any(axis=1)
        found.append(Disagreement(convention, float(drawn.rate or 0.0), float(differs.mean())))
    return tuple(found)


def _membership(true: Array, sets: Array) -> Array:
    """Share of the sets of each true class that hold each label ``(C, C)``; 0 without samples."""
    n_classes = sets.shape[1]
    held = np.zeros((n_classes, n_classes))
    np.add.at(held, true, sets)
    counts = np.bincount(true, minlength=n_classes)
    return np.asarray(held / np.maximum(counts, 1)[:, None])
