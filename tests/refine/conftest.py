"""Small heads with their data as NumPy arrays, so that facts can be derived beside the code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench.api import HeadPath, HeadProblem

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A head ``(q, C)`` with bias, its features ``(n, q)`` and label matrix ``(n, C)``."""

    weight: Array
    bias: Array
    x: Array
    y: Array

    def problem(self, held: HeadProblem | None = None) -> HeadProblem:
        """The sufficient statistics that a refiner is given."""
        x, y = self.x, self.y
        parts = (self.weight, self.bias, x.T @ x, x.T @ y, x.sum(axis=0), y.sum(axis=0))
        tensors = [torch.from_numpy(np.ascontiguousarray(part)) for part in parts]
        return HeadProblem(*tensors, len(x), label_gram=torch.from_numpy(y.T @ y), held=held)

    def svd(self) -> tuple[Array, Array, Array]:
        """``u, s, v`` of the weight with vectors as columns."""
        u, s, vt = np.linalg.svd(self.weight, full_matrices=False)
        return u, s, vt.T


def make_case(seed: int, n: int = 80, q: int = 7, n_classes: int = 5) -> Case:
    """ReLU features that are not centred, one-hot labels, and a head that is not their solution."""
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(0.4, 1, (n, q)), 0)
    y = np.eye(n_classes)[rng.integers(0, n_classes, n)]
    return Case(rng.normal(size=(q, n_classes)), rng.normal(size=n_classes), x, y)


def head(path: HeadPath, position: int) -> Array:
    """The weight at one position of a path, as an array."""
    return path.weight(position).numpy()


@pytest.fixture(scope="session")
def case() -> Callable[..., Case]:
    """``case(seed, n=80, q=7, n_classes=5)``."""
    return make_case


@pytest.fixture(scope="session")
def head_at() -> Callable[[HeadPath, int], Array]:
    """``head_at(path, position)``: the weight as an array."""
    return head
