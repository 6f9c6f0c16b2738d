"""The data that plugins are checked on: small, seeded, and easy enough to be learned in seconds."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from bench.api import Backbone, DataInfo, Method, Split
from bench.data.noise import NONE, NoiseArtefact, labels_sha, realised_matrix
from bench.protocol import Named, Optimiser, Protocol
from bench.training.session import Session

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

N_TRAIN, N_TEST, N_CLASSES, SIDE = 160, 80, 4, 8
WRONG = 0.25
"""Share of wrong labels that is planted."""
CPU = torch.device("cpu")


def images(n: int, seed: int) -> Split:
    """``n`` images 8x8x1 uint8 of four classes; a class is the quadrant that is bright."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % N_CLASSES).astype(np.int64)
    pixels = rng.normal(90, 25, (n, SIDE, SIDE, 1))
    half = SIDE // 2
    for image, label in zip(pixels, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[row * half : (row + 1) * half, column * half : (column + 1) * half] += 90
    return Split(pixels.clip(0, 255).astype(np.uint8), labels, np.arange(n, dtype=np.int64))


def wrong_labels(true: Array, rate: float, seed: int) -> Array:
    """Labels of which exactly ``rate`` became another class."""
    rng = np.random.default_rng(seed)
    given = true.copy()
    chosen = rng.permutation(len(true))[: round(rate * len(true))]
    given[chosen] = (true[chosen] + rng.integers(1, N_CLASSES, len(chosen))) % N_CLASSES
    return given


def artefact(true: Array, rate: float = WRONG) -> NoiseArtefact:
    """Planted wrong labels; ``rate=0`` gives the true ones."""
    given = wrong_labels(true, rate, seed=2)
    nominal = np.full((N_CLASSES, N_CLASSES), rate / (N_CLASSES - 1))
    np.fill_diagonal(nominal, 1 - rate)
    return NoiseArtefact(
        sha=labels_sha("conformance", given),
        labels=given,
        rate=float((given != true).mean()),
        matrix=realised_matrix(true, given, N_CLASSES),
        nominal=nominal,
    )


def candidate_artefact(true: Array, rate: float = WRONG) -> NoiseArtefact:
    """Candidate sets that hold the true label, and each other one with probability ``rate``."""
    sets = np.random.default_rng(2).random((len(true), N_CLASSES)) < rate
    sets[np.arange(len(true)), true] = True
    return NoiseArtefact(
        sha=labels_sha("conformance", sets),
        labels=np.full(len(true), NONE, dtype=np.int64),
        rate=0.0,
        matrix=None,
        nominal=None,
        candidates=sets,
    )


def unlearnable(split: Split) -> Split:
    """The same images under true labels that have nothing to do with them.

    Nobody can come to know these by learning: who has them was given them.
    """
    labels = np.random.default_rng(3).integers(0, N_CLASSES, len(split.labels))
    return Split(split.inputs, labels.astype(np.int64), split.index)


def data_info(
    n_classes: int = N_CLASSES, class_names: tuple[str, ...] = (), name: str = "conformance"
) -> DataInfo:
    """A description without arrays; class names default to numbers."""
    names = class_names or tuple(str(label) for label in range(n_classes))
    digest = hashlib.sha256("".join(names).encode()).hexdigest()
    return DataInfo(name, digest, N_TRAIN, N_TEST, names, (1, SIDE, SIDE))


class ProbeBackbone(Backbone):
    """A convolutional network that is quick on one core.

    It has batch norm and dropout, because both keep or draw something that a method which is not
    careful loses: running statistics and the state of the global generator.
    """

    name = "conformance-probe"

    def build(self, shape: tuple[int, ...]) -> tuple[nn.Module, int]:
        """Two convolutions; ``q = 16``, more than there are classes."""
        body = nn.Sequential(
            *(nn.Conv2d(shape[0], 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
            nn.MaxPool2d(2),
            *(nn.Flatten(), nn.Linear(8 * (SIDE // 2) ** 2, 16), nn.ReLU(), nn.Dropout(0.1)),
        )
        return body, 16


def session(
    method: Method,
    *,
    epochs: int = 2,
    seed: int = 0,
    wrong: float = WRONG,
    held_out: float = 0.1,
    train: Split | None = None,
    device: torch.device = CPU,
    **protocol: Any,
) -> Session:
    """A training of ``method`` on the fixture, before its first epoch.

    ``wrong`` is the share of labels that are given wrong, ``held_out`` the share of samples kept
    for noisy validation; ``train`` replaces the training images and their true labels; ``protocol``
    replaces what the training's protocol says.
    """
    train = train or images(N_TRAIN, seed=0)
    make = candidate_artefact if method.learns_from == "candidates" else artefact
    return Session(
        method=method,
        backbone=ProbeBackbone(),
        protocol=Protocol(
            **{
                "backbone": Named(name=ProbeBackbone.name),
                "epochs": 1 if method.fits_at_once else epochs,
                "batch_size": 32,
                "optimiser": Optimiser(lr=0.05),
                "augmentation": ("crop",),
                "noisy_validation": held_out,
                "precision": "fp32",
                **protocol,
            }
        ),
        info=data_info(),
        train=train,
        test=images(N_TEST, seed=1),
        artefact=make(train.labels, wrong),
        seed=seed,
        device=device,
    )


@contextmanager
def undisturbed() -> Iterator[None]:
    """One torch thread, for tiny work runs faster on it, and global generators as they were."""
    threads, before = torch.get_num_threads(), global_generators()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])  # noqa: NPY002 - plugins' libraries may draw from it
        random.setstate(before[2])


def global_generators() -> tuple[torch.Tensor, Any, Any]:
    """The states of torch's, NumPy's and Python's global generators."""
    state = np.random.get_state()  # noqa: NPY002 - plugins' libraries may draw from it
    return torch.get_rng_state(), state, random.getstate()
