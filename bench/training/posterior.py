"""P(class | sample) of training samples, from networks trained on the true labels.

Noise that depends on how hard a sample is needs a model of the clean labels. Every sample is
judged by a network that was not trained on it: a network's own training samples look certain.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import random
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.api import DataInfo, Split
from bench.identity import axis_seed, content_sha
from bench.protocol import Named, Optimiser, Protocol, Schedule

log = logging.getLogger(__name__)

Array = np.ndarray[Any, Any]

RECIPE = 1
"""Raised when what ``posterior`` computes changes; kept posteriors are then computed anew."""


def posterior(train: Split, info: DataInfo, *, folds: int, epochs: int) -> Array:
    """P(class | sample) ``(n, C)`` float64, rows sum to 1.

    A small CNN (a perceptron for feature tables), cross entropy on the true labels, early stopped
    by ``epochs``. With ``folds`` = 1 one network is trained on all samples and judges them too.

    Args:
        train: with true labels.
        info: of the data set.
        folds: networks that are trained, each on all samples but its fold.
        epochs: of each network.
    """
    import torch
    from tqdm import tqdm

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    n = len(train.labels)
    fold_of = np.random.default_rng(axis_seed("posterior", info.fingerprint)).permutation(n) % folds
    found = np.empty((n, info.n_classes))
    bar = tqdm(range(folds), desc=f"posterior of {info.label}", unit="fold", disable=None)
    with _global_generators_kept():
        for fold in bar:
            judged = np.flatnonzero(fold_of == fold)
            trained = np.flatnonzero(fold_of != fold) if folds > 1 else judged
            found[judged] = _judge(train, info, trained, judged, epochs, fold, device)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


@contextlib.contextmanager
def _global_generators_kept() -> Iterator[None]:
    """Leave the global generators as they were: a session seeds them."""
    import torch

    numpy_state, state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng():
        yield
    np.random.set_state(numpy_state)  # noqa: NPY002
    random.setstate(state)


def cached_posterior(
    place: Path, train: Split, info: DataInfo, *, folds: int, epochs: int
) -> Array:
    """As ``posterior``; kept in the folder ``place`` and read from there the next time.

    A file that is damaged or belongs to other data is computed anew.
    """
    key = content_sha([info.fingerprint, folds, epochs, RECIPE])
    path = place / f"{key[:16]}.npz"
    known = _read(path, key, (len(train.labels), info.n_classes))
    if known is not None:
        return known
    log.info("training %d networks on the true labels of %s, once", folds, info.label)
    found = posterior(train, info, folds=folds, epochs=epochs)
    _write(path, key, found)
    return found


def _judge(
    train: Split, info: DataInfo, trained: Array, judged: Array, epochs: int, fold: int, device: Any
) -> Array:
    """Soft-max ``(m, C)`` of the samples ``judged`` from a network trained on ``trained``."""
    import torch

    from bench.api import Backbone, Method
    from bench.backbones.mlp import MLP
    from bench.backbones.small_cnn import SmallCNN
    from bench.data.noise import NoiseArtefact
    from bench.training.session import Session

    class CrossEntropy(Method):
        """Cross entropy on the true labels."""

        name = "posterior"

        def loss(self, batch: Any) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(
                self.logits(batch.x), batch.y, reduction="none"
            )

    image = len(info.shape) == 3
    backbone: Backbone = SmallCNN(width=32) if image else MLP(width=128, depth=2)
    part = Split(train.inputs[trained], np.array(train.labels)[trained], trained)
    rest = Split(train.inputs[judged], np.array(train.labels)[judged], judged)
    session = Session(
        method=CrossEntropy(),
        backbone=backbone,
        protocol=Protocol(
            backbone=Named(name=backbone.name),
            epochs=epochs,
            batch_size=128,
            optimiser=Optimiser(lr=0.05),
            schedule=Schedule(name="cosine"),
            augmentation=("crop",) if image else (),
            noisy_validation=0,
        ),
        info=info,
        train=part,
        test=rest,
        artefact=NoiseArtefact(f"posterior {fold}", part.labels, 0.0, None, None),
        seed=fold,
        device=device,
    )
    for _ in session.epochs():
        pass
    logits = session.logits(session.test.inputs)
    return np.asarray(logits.double().softmax(1).cpu().numpy())


def _read(path: Path, key: str, shape: tuple[int, int]) -> Array | None:
    try:
        with np.load(path, allow_pickle=False) as saved:
            found: Array = saved["posterior"]
            if (
                str(saved["key"]) == key
                and found.shape == shape
                and str(saved["sha"]) == hashlib.sha256(found.tobytes()).hexdigest()
            ):
                return found
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    return None


def _write(path: Path, key: str, found: Array) -> None:
    # A read-only data folder is no error: the networks are trained again next time.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".npz")
        sha = hashlib.sha256(found.tobytes()).hexdigest()
        with os.fdopen(handle, "wb") as file:
            np.savez(file, posterior=found, key=np.array(key), sha=np.array(sha))
        os.replace(temporary, path)
