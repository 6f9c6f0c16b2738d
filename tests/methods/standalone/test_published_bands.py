"""Stand-alone learners on the field's real sets, near what was published of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.data.importer import import_copy
from bench.data.prepared import load
from bench.registry import Registry

Fitted = Callable[..., Any]

PUBLISHED = {
    ("lost", "pl-aggd"): 0.690,
    ("lost", "lalo"): 0.682,
    ("lost", "sure"): 0.709,
    ("lost", "pl-cl"): 0.710,
    ("msrcv2", "pl-aggd"): 0.451,
    ("msrcv2", "lalo"): 0.449,
    ("msrcv2", "sure"): 0.445,
    ("msrcv2", "pl-cl"): 0.469,
}
"""Means over ten 50/50 splits (Si et al., AAAI 2024)."""

BAND = 0.04
"""For the mean of two splits; the suite ``standalone`` runs all ten."""


@pytest.fixture(scope="module")
def pool_of(
    real_data: Callable[[str], Path], registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Any]:
    """``pool_of("lost")``: the real set, imported once."""

    @cache
    def of(dataset: str) -> Any:
        folder = tmp_path_factory.mktemp(dataset)
        import_copy(dataset, real_data("pll"), folder, registry)
        return load(dataset, folder, registry)

    return of


@pytest.mark.parametrize(("dataset", "name"), list(PUBLISHED))
def test_two_fixed_splits_are_near_the_published_mean(
    dataset: str, name: str, pool_of: Callable[[str], Any], fitted: Fitted
) -> None:
    pool = pool_of(dataset)
    found = []
    for split in (0, 1):
        half = pool.at(split)
        mean, deviation = half.train.inputs.mean(axis=0), half.train.inputs.std(axis=0)
        deviation = np.where(deviation > 0, deviation, 1)  # constant in this half
        x, test = ((part.inputs - mean) / deviation for part in (half.train, half.test))
        assert half.train.candidates is not None
        method = fitted(name, x, half.train.candidates)
        with torch.no_grad():
            scores = method.machine(torch.from_numpy(test.astype(np.float32))).numpy()
        found.append((scores.argmax(axis=1) == half.test.labels).mean())
    assert np.mean(found) == pytest.approx(PUBLISHED[dataset, name], abs=BAND)
