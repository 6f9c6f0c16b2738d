"""Methods of two networks whose logits are planted, and what each network learns from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn

from bench.api import Batch


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """In float64, from the definition."""
    p = softmax(logits.astype(np.float64), axis=1)
    return np.asarray(-np.log(p[np.arange(len(labels)), labels]))


class Table(nn.Module):
    """A network whose logits are its weights: sample ``x = i`` has logits ``weight[i]``."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(logits.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Rows of the table."""
        return self.weight[x]


class Steps:
    """Stands for a run: one batch of tabled samples, and what the method steps on."""

    def __init__(self, labels: Tensor, rate: float, n_classes: int, n_epochs: int = 100) -> None:
        self.n, self.n_classes, self.n_epochs = len(labels), n_classes, n_epochs
        self.labels, self.device = labels, torch.device("cpu")
        self.known = type("Known", (), {"noise_rate": rate})
        self.losses: list[Tensor] = []
        self.reported: list[int] = []

    def batches(self, epoch: int, repeat: int = 0) -> Iterator[Batch]:
        """All samples at once."""
        index = torch.arange(self.n)
        yield Batch(index, self.labels, index)

    def report_selection(self, index: Tensor, kept: Tensor | None = None) -> None:
        """Keep what is reported."""
        self.reported += (index if kept is None else index[kept]).tolist()

    def step(self, loss: Tensor) -> None:
        """Keep what is stepped on."""
        self.losses.append(loss)


def tabled(
    name: str, tables: list[Tensor], labels: Tensor, registry: Any, rate: float = 0.5, **params: Any
) -> tuple[Any, Steps]:
    """A method whose two networks have planted logits, and the run it is given."""
    method: Any = registry.create("method", name, registry.get("method", name).resolve(params))
    method.run = run = Steps(labels, rate, tables[0].shape[1])
    method.networks = tuple(Table(logits) for logits in tables)
    method.setup()
    return method, run


def learnt_from(method: Any, run: Steps) -> list[list[int]]:
    """The samples on which each network's gradient depends."""
    (loss,) = run.losses
    gradients = torch.autograd.grad(loss, [network.weight for network in method.networks])
    return [g.abs().sum(1).nonzero().flatten().tolist() for g in gradients]


def logits_for(labels: Tensor, losses: list[float], n_classes: int = 4) -> Tensor:
    """Logits whose cross entropy at ``labels`` is ``losses``."""
    p = torch.tensor(losses, dtype=torch.float64).neg().exp()
    rest = ((1 - p) / (n_classes - 1))[:, None].repeat(1, n_classes)
    return rest.scatter(1, labels[:, None], p[:, None]).log()


LABELS = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
ONE = logits_for(LABELS, [0.1, 0.2, 0.3, 0.4, 2.5, 2.6, 2.7, 2.8])
OTHER = logits_for(LABELS, [2.8, 0.2, 2.6, 0.3, 2.5, 0.1, 2.7, 0.4])
