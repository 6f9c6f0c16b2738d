"""Real CIFAR subsets, where they are at hand: sizes, classes, and the official noisy labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.data import arrays, prepared
from bench.data.importer import import_tree
from bench.registry import Registry


@pytest.fixture(scope="module")
def imported(
    real_data: Callable[[str], Path],
    registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], arrays.Prepared]:
    """Imports one of the real subsets, once for all tests."""
    folder = tmp_path_factory.mktemp("real")

    def get(name: str) -> arrays.Prepared:
        source = real_data(f"{name}-12k.zip")
        if not arrays.exists(name, folder):
            import_tree(name, source, folder, registry)
        return prepared.load(name, folder, registry)

    return get


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_real_subsets_have_their_sizes_and_official_classes(
    name: str, imported: Callable[[str], arrays.Prepared]
) -> None:
    data = imported(name)
    classes = {"cifar10": 10, "cifar100": 100}[name]
    assert data.train.inputs.shape == (10_000, 32, 32, 3)
    assert data.test.inputs.shape == (2_000, 32, 32, 3)
    assert data.info.n_classes == classes
    assert not data.info.full
    assert np.bincount(data.test.labels).tolist() == [2_000 // classes] * classes


def test_real_cifar100_has_as_many_images_of_each_class(
    imported: Callable[[str], arrays.Prepared],
) -> None:
    assert np.bincount(imported("cifar100").train.labels).tolist() == [100] * 100


def test_real_cifar10_lines_up_with_the_official_noisy_labels(
    imported: Callable[[str], arrays.Prepared], real_data: Callable[[str], Path]
) -> None:
    import torch

    train = imported("cifar10").train
    assert train.index.tolist() == list(range(10_000))
    # The official file holds numpy arrays, pickled by the numpy of its day.
    old = "numpy.core.multiarray._reconstruct"
    allowed = [
        (np.empty(0).__reduce__()[0], old),
        *(np.ndarray, np.dtype, type(np.dtype(np.int64))),
    ]
    with torch.serialization.safe_globals(allowed):
        labels = torch.load(real_data("CIFAR-10_human.pt"), weights_only=True)
    np.testing.assert_array_equal(train.labels, labels["clean_label"][train.index])
    assert (labels["worse_label"][train.index] != train.labels).mean() == pytest.approx(
        0.4, abs=0.02
    )
