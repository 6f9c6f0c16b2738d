"""Label propagation among neighbours, and prediction by reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from bench.api import Field
from bench.training.recipes.graphs import as_matrix, neighbours
from bench.training.recipes.standalone import Scaling, StandAlone, Votes

if TYPE_CHECKING:
    from torch import nn

    from bench.training.recipes.standalone import Array


class ReconstructionVotes(Votes):
    """Minus the squared error of rebuilding a sample from its neighbours of one class."""

    support: Tensor
    labels: Tensor

    def __init__(self, scaling: Scaling, n: int, d: int, n_classes: int, k: int) -> None:
        super().__init__(scaling, n_classes)
        self.k, self.n_classes = min(k, n), n_classes
        self.register_buffer("support", torch.zeros(n, d, dtype=torch.float64))
        self.register_buffer("labels", torch.zeros(n, dtype=torch.int64))

    def votes(self, x: Tensor) -> Tensor:
        """By non-negative least squares on the nearest."""
        support, labels = self.support.cpu().numpy(), self.labels.cpu().numpy()
        near = torch.cdist(x, self.support).topk(self.k, largest=False).indices.cpu().numpy()
        values = x.cpu().numpy()
        weights = rebuilding(values, support, near)
        votes = np.zeros((len(values), self.n_classes))
        for c in range(self.n_classes):
            share = weights * (labels[near] == c)
            rebuilt = np.einsum("nk,nkd->nd", share, support[near])
            votes[:, c] = -((values - rebuilt) ** 2).sum(axis=1)
        # On the scale of the sample itself, so that float32 keeps small differences.
        scale = np.maximum((values**2).sum(axis=1, keepdims=True), 1e-12)
        return torch.from_numpy(votes / scale).to(x.device)


class Ipal(StandAlone):
    """IPAL: candidates are propagated among neighbours, a test sample is rebuilt from them.

    Each training sample is written as a non-negative combination of its 10 nearest neighbours
    (weights normalised to sum to 1), along which confidences flow: ``P ← α W P + (1 - α) P₀``,
    α = 0.95, 100 times, each time cut to the candidates and renormalised. Confidences are
    multiplied by the ratio of initial to final class mass, and the largest gives each sample one
    label. A test sample is rebuilt from its 10 nearest; the class whose members alone leave the
    smallest error wins. Features are taken as they are. Told nothing, no network, no passes; there
    is no head that a refiner could act on.
    """

    name = "ipal"
    paper = "Zhang and Yu, Solving the Partial Label Learning Problem, IJCAI 2015"
    has_head = False
    scaling: Literal["rows", "standardise", "none"] = "none"
    k: Annotated[int, Field(ge=1)] = 10
    alpha: Annotated[float, Field(ge=0, lt=1)] = 0.95
    steps: Annotated[int, Field(ge=1)] = 100

    def new_machine(self) -> nn.Module:
        """All training samples and their labels."""
        n, d = self.run.n, self.n_features
        return ReconstructionVotes(self.scaled(), n, d, self.run.n_classes, self.k)

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """Propagate, correct for class masses, decide."""
        near = neighbours(x, self.k)
        weights = rebuilding(x, x, near)
        total = weights.sum(axis=1, keepdims=True)
        flow = as_matrix(weights / np.where(total > 0, total, 1), near)
        first = sets / sets.sum(axis=1, keepdims=True)
        labels = first
        for _ in range(self.steps):
            moved = (self.alpha * (flow @ labels) + (1 - self.alpha) * first) * sets
            labels = moved / moved.sum(axis=1, keepdims=True)
        mass = labels.sum(axis=0)
        corrected = labels * np.where(mass > 0, first.sum(axis=0) / np.where(mass > 0, mass, 1), 1)
        machine: ReconstructionVotes = self.machine  # type: ignore[assignment]
        machine.support.copy_(torch.from_numpy(x))
        machine.labels.copy_(torch.from_numpy(corrected.argmax(axis=1)))
        belief = corrected / corrected.sum(axis=1, keepdims=True)
        return belief, 1 - float(belief.max(axis=1).mean())


def rebuilding(values: Array, support: Array, near: Array) -> Array:
    """Weights ``(n, k)`` >= 0 that rebuild each sample from its neighbours with least error."""
    from scipy.optimize import nnls

    return np.stack([nnls(support[row].T, x)[0] for x, row in zip(values, near, strict=True)])
