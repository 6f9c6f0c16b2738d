"""The model of clean labels that margin noise needs."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.api import DataInfo, Split
from bench.training.posterior import cached_posterior, posterior


def features(n: int = 400) -> tuple[Split, DataInfo]:
    """Two clouds far apart, a class each."""
    rng = np.random.default_rng(0)
    side = np.arange(n) % 2
    inputs = (rng.normal(size=(n, 4)) + 4 * side[:, None]).astype(np.float32)
    info = DataInfo("clouds", "1" * 64, n, 10, ("a", "b"), (4,))
    return Split(inputs, side.astype(np.int64), np.arange(n)), info


def test_rows_are_distributions_that_know_the_clean_classes() -> None:
    train, info = features()
    found = posterior(train, info, folds=2, epochs=3)
    assert found.shape == (400, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == train.labels).mean() > 0.98


def test_samples_are_judged_by_networks_that_did_not_see_them() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 200)
    inputs = rng.normal(size=(200, 50)).astype(np.float32)
    train = Split(inputs, labels, np.arange(200))
    info = DataInfo("random", "2" * 64, 200, 10, ("a", "b"), (50,))
    rows = np.arange(200)
    outside = posterior(train, info, folds=4, epochs=100)[rows, labels]
    inside = posterior(train, info, folds=1, epochs=100)[rows, labels]
    assert outside.mean() == pytest.approx(0.5, abs=0.1)
    assert inside.mean() > 0.9


def test_it_is_repeatable_and_leaves_the_global_generators_alone() -> None:
    train, info = features(100)
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    first = posterior(train, info, folds=2, epochs=2)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()
    torch.manual_seed(4)
    np.testing.assert_array_equal(first, posterior(train, info, folds=2, epochs=2))


def test_it_is_trained_once_and_made_again_when_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, info = features(100)
    first = cached_posterior(tmp_path, train, info, folds=2, epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr("bench.training.posterior.posterior", None)  # nobody may train now
        again = cached_posterior(tmp_path, train, info, folds=2, epochs=2)
    np.testing.assert_array_equal(first, again)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(bytes(content))
    mended = cached_posterior(tmp_path, train, info, folds=2, epochs=2)
    np.testing.assert_array_equal(first, mended)
    np.testing.assert_array_equal(first, cached_posterior(tmp_path, train, info, folds=2, epochs=2))
