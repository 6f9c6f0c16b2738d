"""A transition matrix, a batch and a run for losses that correct with a matrix."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from bench.api import Batch

CPU = torch.device("cpu")


def matrix(classes: int = 4, seed: int = 0) -> torch.Tensor:
    """A transition matrix with unequal rows, float64."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(0.6 * np.eye(classes) + 0.4 * rng.dirichlet(np.ones(classes), classes))


def batch(n: int = 30, classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, Batch]:
    """Logits float64, and a batch with labels for them."""
    draws = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, classes, generator=draws, dtype=torch.float64)
    labels = torch.randint(0, classes, (n,), generator=draws)
    return logits, Batch(logits, labels, torch.arange(n))


def on_logits(method: Any, classes: int = 4) -> Any:
    """A method whose network gives back its input."""
    method.run = SimpleNamespace(n_classes=classes, n_epochs=4, device=CPU)
    method.networks = (lambda x: x,)
    return method
