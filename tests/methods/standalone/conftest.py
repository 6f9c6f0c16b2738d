"""Stand-alone learners on plain arrays, without data set, noise or harness around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from bench.registry import Registry


@dataclass
class ArrayRun:
    """What a stand-alone learner asks of its run."""

    x: torch.Tensor
    candidates: torch.Tensor

    def __post_init__(self) -> None:
        """Sizes from the arrays."""
        self.n, self.n_classes = self.candidates.shape
        self.device = torch.device("cpu")

    def raw(self, x: torch.Tensor) -> torch.Tensor:
        """Nothing was normalised."""
        return x

    def view(self, index: torch.Tensor, kind: str) -> torch.Tensor:
        """The samples themselves."""
        return self.x[index]

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """All samples at once."""
        return function(self.x)

    def generator(self, *parts: int | str) -> torch.Generator:
        """Seeded."""
        return torch.Generator().manual_seed(7)


Fitted = Callable[..., Any]


@pytest.fixture
def fitted(registry: Registry) -> Fitted:
    """``fitted("sure", x, sets, lam=0.1)``: the method after its one epoch."""

    def build(name: str, x: np.ndarray, sets: np.ndarray, **params: Any) -> Any:
        info = registry.get("method", name)
        method = registry.create("method", name, info.resolve(params))
        method.run = ArrayRun(
            torch.from_numpy(x).float(), torch.from_numpy(sets.astype(np.float32))
        )
        method.networks = ()
        method.setup()
        method.train_epoch(0)
        return method

    return build


@pytest.fixture
def small() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """60 samples of three classes in five dimensions: features, candidate sets, true labels."""
    rng = np.random.default_rng(11)
    true = np.repeat(np.arange(3), 20)
    x = rng.normal(size=(60, 5)).astype(np.float32).astype(float) + 2 * np.eye(3, 5)[true]
    x = x.astype(np.float32).astype(float)  # the harness keeps float32
    sets = rng.random((60, 3)) < 0.4
    sets[np.arange(60), true] = True
    return x, sets, true
