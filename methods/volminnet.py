"""A transition matrix learned with the network, of least volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
import torch.nn.functional as F

from bench.api import Batch, Field, Method
from bench.training.recipes.transition import forward_loss, truth

if TYPE_CHECKING:
    from torch import Tensor


class VolMinNet(Method):
    """VolMinNet: learns classifier and transition matrix at once, the matrix of least volume.

    ``T = rows of (I + sigmoid(W) off the diagonal)``, each divided by its sum, so that a diagonal
    entry is the largest of its row; the loss is ``-log (pᵀT)_y + λ log |det T|``, λ 1e-4 (the
    volume is made small). W starts at ``-init`` and has an optimiser of its own: SGD with momentum
    0.9 on CIFAR-10, Adam on CIFAR-100, rate 0.01 without weight decay, divided by 10 after 3/8 and
    6/8 of the epochs (30 and 60 of 80). ``init`` is 2 on CIFAR-10, 4.5 on CIFAR-100. All values are
    those of the authors' code. Told nothing; one network, one view, no warm-up; one forward and
    backward pass a sample.

    Deviation: the common protocol for the network (the paper's has rate 0.01 and 80 epochs).
    """

    name = "volminnet"
    paper = "Li et al., Provably End-to-end Label-noise Learning, ICML 2021, arXiv 2102.02400"
    family = "transition"
    paper_params = {"cifar100": {"init": 4.5, "optimiser": "adam"}}  # noqa: RUF012

    lam: Annotated[float, Field(ge=0)] = 1e-4
    init: float = 2.0
    optimiser: Literal["sgd", "adam"] = "sgd"
    matrix_lr: Annotated[float, Field(gt=0)] = 0.01

    def setup(self) -> None:
        """W, and what trains it."""
        classes, device = self.run.n_classes, self.run.device
        self.w = torch.full((classes, classes), -self.init, device=device, requires_grad=True)
        if self.optimiser == "sgd":
            self.matrix_optimiser: torch.optim.Optimizer = torch.optim.SGD(
                [self.w], self.matrix_lr, momentum=0.9
            )
        else:
            self.matrix_optimiser = torch.optim.Adam([self.w], self.matrix_lr)

    def transition(self) -> Tensor:
        """T ``(C, C)``: rows sum to 1, and the diagonal entry is the largest of each."""
        own = torch.eye(self.run.n_classes, device=self.run.device)
        return F.normalize(own + self.w.sigmoid() * (1 - own), p=1, dim=1)

    def rate(self, epoch: int) -> float:
        """W's learning rate in an epoch."""
        passed = sum(epoch >= share * self.run.n_epochs for share in (0.375, 0.75))
        return self.matrix_lr * 0.1**passed

    def train_epoch(self, epoch: int) -> float:
        """One pass; network and W take a step for every batch."""
        for group in self.matrix_optimiser.param_groups:
            group["lr"] = self.rate(epoch)
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            losses = self.loss(batch)
            self.matrix_optimiser.zero_grad()
            self.run.step(losses.mean())
            self.matrix_optimiser.step()
            total += losses.detach().sum()
        return float(total / self.run.n)

    def loss(self, batch: Batch) -> Tensor:
        """Forward loss plus the log of the volume."""
        matrix = self.transition()
        volume = torch.linalg.slogdet(matrix).logabsdet
        return forward_loss(self.logits(batch.x), batch.y, matrix) + self.lam * volume

    def label_belief(self) -> Tensor:
        """What the network and T say of the true label, the given one seen."""
        logits = self.run.predict(self.networks[0])
        return truth(logits, self.run.labels, self.transition())
