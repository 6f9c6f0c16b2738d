"""What learners without gradient descent share: plain arrays in, a module with a head out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.api import Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.api import Network, Run

Array = np.ndarray[Any, Any]

SCALINGS = ("standardise", "rows", "none")


class Scaling(nn.Module):
    """Features as a learner wants them, from the harness's normalised inputs.

    ``standardise``: each feature with mean 0 and deviation 1 over the training samples, which is
    how they come; ``rows``: each sample divided by its length; ``none``: as in the data set.
    """

    def __init__(self, run: Run, kind: str) -> None:
        super().__init__()
        self._raw = run.raw
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """``(b, d)`` float64; images are flattened."""
        x = (x if self.kind == "standardise" else self._raw(x)).flatten(1).double()
        if self.kind != "rows":
            return x
        length: Tensor = x.norm(dim=1, keepdim=True)
        return x / torch.where(length > 0, length, torch.ones_like(length))


class LinearMachine(nn.Module):
    """``head(x)`` on scaled features."""

    def __init__(self, scaling: Scaling, d: int, n_classes: int) -> None:
        super().__init__()
        self.scaling = scaling
        self.head = nn.Linear(d, n_classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def features(self, x: Tensor) -> Tensor:
        """Scaled features ``(b, d)`` float32."""
        scaled: Tensor = self.scaling(x)
        return scaled.float()

    def forward(self, x: Tensor) -> Tensor:
        """Scores ``(b, C)``."""
        scores: Tensor = self.head(self.features(x))
        return scores


class KernelMachine(LinearMachine):
    """``head(k(x))`` with ``k(x)_i = exp(-||x - x_i||² / (2 σ²))``: the head is the dual weight."""

    support: Tensor
    sigma: Tensor

    def __init__(self, scaling: Scaling, n: int, d: int, n_classes: int) -> None:
        super().__init__(scaling, n, n_classes)
        self.register_buffer("support", torch.zeros(n, d, dtype=torch.float64))
        self.register_buffer("sigma", torch.ones((), dtype=torch.float64))

    def features(self, x: Tensor) -> Tensor:
        """Rows of the kernel matrix ``(b, n)`` float32."""
        square = torch.cdist(self.scaling(x), self.support).square()
        return (-square / (2 * self.sigma.square())).exp().float()


class Votes(nn.Module):
    """Scores that no linear head gives: they are the features, and the head is the identity."""

    def __init__(self, scaling: Scaling, n_classes: int) -> None:
        super().__init__()
        self.scaling = scaling
        self.head = nn.Linear(n_classes, n_classes)
        self.head.weight.data = torch.eye(n_classes)
        self.head.bias.data.zero_()

    def features(self, x: Tensor) -> Tensor:
        """Scores ``(b, C)`` float32."""
        return self.votes(self.scaling(x)).float()

    def votes(self, x: Tensor) -> Tensor:
        """Scores ``(b, C)`` of scaled features ``(b, d)``."""
        raise TypeError("votes() is not defined")

    def forward(self, x: Tensor) -> Tensor:
        """The scores."""
        return self.features(x)


class StandAlone(Method):
    """A learner that is given all samples at once. Override ``solve``; ``machine`` predicts.

    ``solve`` returns the confidences ``(n, C)`` that it ends with and a number to watch.
    """

    learns_from = "candidates"
    family = "stand-alone"
    fits_at_once = True
    n_networks = 0
    cost = 1.0
    scaling = "standardise"

    def setup(self) -> None:
        """The machine, with weights 0, and uniform confidences."""
        sets = self.run.candidates
        self.machine = self.new_machine().to(self.run.device)
        for parameter in self.machine.parameters():
            parameter.requires_grad_(False)
        self.confidence = sets / sets.sum(1, keepdim=True)
        self.objective = torch.zeros(())

    def new_machine(self) -> nn.Module:
        """What predicts: here a linear function of the features."""
        return LinearMachine(self.scaled(), self.n_features, self.run.n_classes)

    def scaled(self) -> Scaling:
        """The scaling that ``self.scaling`` names."""
        return Scaling(self.run, self.scaling)

    @property
    def n_features(self) -> int:
        """Features of one sample."""
        first = torch.zeros(1, dtype=torch.int64, device=self.run.device)
        return int(self.run.view(first, "plain").numel())

    def train_epoch(self, epoch: int) -> float:
        """Everything, in the first epoch."""
        if epoch == 0:
            x = self.run.map(self.scaled().to(self.run.device)).cpu().numpy()
            sets = self.run.candidates.cpu().numpy() > 0
            confidence, objective = self.solve(x, sets)
            self.confidence = torch.from_numpy(confidence).float().to(self.run.device)
            self.objective = torch.tensor(float(objective))
        return float(self.objective)

    def solve(self, x: Array, sets: Array) -> tuple[Array, float]:
        """Fill ``machine`` from scaled features ``(n, d)`` float64 and sets ``(n, C)`` bool."""
        raise TypeError(f"method {self.name!r} does not define solve()")

    def predictors(self) -> Sequence[Network]:
        """The machine."""
        return (self.machine,)  # type: ignore[return-value]

    def label_belief(self) -> Tensor:
        """The confidences that the learner ended with."""
        return self.confidence

    def put_weights(self, weight: Array, bias: Array) -> None:
        """Weight ``(q, C)`` and bias ``(C,)`` of the machine's head."""
        head: nn.Linear = self.machine.head  # type: ignore[assignment]
        head.weight.copy_(torch.from_numpy(weight.T))
        head.bias.copy_(torch.from_numpy(bias))


class KernelLearner(StandAlone):
    """A stand-alone learner with a Gaussian kernel; the mean pairwise distance is its width."""

    def new_machine(self) -> nn.Module:
        """Dual weights, one row a training sample."""
        return KernelMachine(self.scaled(), self.run.n, self.n_features, self.run.n_classes)

    def kernel(self, x: Array) -> Array:
        """The kernel matrix ``(n, n)``; the machine is given the samples and the width."""
        from scipy.spatial.distance import pdist, squareform

        distances = pdist(x)
        sigma = float(distances.mean()) or 1.0
        machine: KernelMachine = self.machine  # type: ignore[assignment]
        machine.support.copy_(torch.from_numpy(x))
        machine.sigma.fill_(sigma)
        return np.asarray(np.exp(-(squareform(distances) ** 2) / (2 * sigma**2)))


class KernelRidge:
    """Kernel ridge regression with a free intercept, factored once, solved for many targets.

    Minimises ``||K A + 1 bᵀ - T||² + ridge tr(Aᵀ K A)``: ``(K + ridge I) A = T - 1 bᵀ`` with
    ``1ᵀ A = 0``.
    """

    def __init__(self, kernel: Array, ridge: float) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self.kernel = kernel
        self._factor = cho_factor(kernel + ridge * np.eye(len(kernel)), lower=True)
        self._solve = cho_solve
        self._ones = cho_solve(self._factor, np.ones(len(kernel)))

    def fit(self, targets: Array) -> tuple[Array, Array]:
        """Dual weights ``(n, C)`` and intercepts ``(C,)`` for targets ``(n, C)``."""
        solved = self._solve(self._factor, targets)
        bias = solved.sum(axis=0) / self._ones.sum()
        return solved - np.outer(self._ones, bias), bias

    def predict(self, weight: Array, bias: Array) -> Array:
        """Outputs ``(n, C)`` on the training samples."""
        return np.asarray(self.kernel @ weight + bias)
