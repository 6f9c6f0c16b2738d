"""What a session does while it trains, and the arithmetic that tests repeat in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.api import Batch
from bench.training.session import Session

Array = np.ndarray[Any, Any]


def softmax(z: Array) -> Array:
    """Of the rows."""
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def restricted(p: Array, sets: Array) -> Array:
    """Probabilities of the candidates alone, rows renormalised."""
    inside = p * sets
    return inside / inside.sum(1, keepdims=True)


def array(values: Tensor) -> Array:
    """A copy in float64."""
    return values.detach().double().numpy().copy()


class Trace:
    """Records batches, logits of training passes, and losses of a session, which trains as ever.

    Attributes:
        rows: positions of the samples of each batch.
        logits: of each network, one array for every forward pass in training mode.
        losses: what was minimised in each step.
    """

    def __init__(self, session: Session) -> None:
        self.rows: list[Array] = []
        self.logits: list[list[Array]] = [[] for _ in session.networks]
        self.losses: list[float] = []
        for passes, network in zip(self.logits, session.networks, strict=True):
            network.head.register_forward_hook(self._keep(passes))
        run: Any = session.run
        batches, step = run.batches, run.step

        def recorded(epoch: int, repeat: int = 0) -> Iterator[Batch]:
            for batch in batches(epoch, repeat):
                self.rows.append(batch.index.numpy().copy())
                yield batch

        def stepped(loss: Tensor) -> None:
            self.losses.append(float(loss))
            step(loss)

        run.batches, run.step = recorded, stepped

    @staticmethod
    def _keep(passes: list[Array]) -> Any:
        def hook(module: nn.Module, _: Any, output: Tensor) -> None:
            if module.training:
                passes.append(array(output))

        return hook


def on_table(session: Session, sets: Array, dtype: torch.dtype = torch.float64) -> Session:
    """The session's method on a few samples with these candidate sets; inputs are the logits."""
    run: Any = session.run
    run.candidates = torch.tensor(sets, dtype=dtype)
    run.n, run.n_classes = sets.shape
    method: Any = session.method
    method.setup()
    method.logits = lambda x: x
    return session


def batch_of(z: Array | Tensor) -> Batch:
    """All samples of a table, whose inputs are logits."""
    x = torch.as_tensor(z)
    rows = torch.arange(len(x))
    return Batch(x, torch.full((len(x),), -1), rows)
