"""Sparse over-parameterisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Batch, Field, Method
from bench.training.recipes.mixing import one_hot

if TYPE_CHECKING:
    from torch import Tensor

EPSILON = 1e-4
PAPER_BATCH = 128
PAPER_EPOCHS = 120


class SOP(Method):
    """Sparse over-parameterisation: every sample learns how wrong its label is.

    Algorithm 1 of the paper. Sample i has ``s = u² e_y - v² (1 - e_y)`` with a scalar u and a
    vector v of its own, and ``q`` is ``p + s`` cut at 1e-4 from below and divided by its sum. The
    network and u follow the cross entropy of q; v follows ``‖onehot(argmax p) + s - e_y‖²``. Both
    move by plain gradient descent without decay, start from N(0, 1e-8²) and are put back into
    -1 … 1 after each step. Squares make them grow by factors: a label that keeps contradicting
    the network grows its u and v from nothing, one that the network explains leaves them there.

    Rates of u and v: CIFAR-10 (10, 10), CIFAR-100 (1, 10), the paper's for symmetric noise (table
    A.1; its rates for asymmetric noise, v 100, are not used, for the method is not told). They are
    per mean of a batch of 128 and 120 epochs: a sample's step does not depend on how many share its
    batch, and shorter runs make proportionally longer ones (``120 / epochs``, never below 1), as
    growth is counted in steps and a sample makes one an epoch.

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample;
    ``n × (C + 1)`` numbers of state in float32, where 1e-8 has a square that is not 0. Deviations:
    the common optimiser and protocol and the scaling above. The authors' code lets the squared
    error drive u as well, and clamps squares in place of u and v. Consistency and balance terms
    (SOP+) are another method.
    """

    name = "sop"
    paper = (
        "Liu et al., Robust Training under Label Noise by Over-parameterization, ICML 2022, "
        "arXiv 2202.14026"
    )
    family = "regularisation"
    paper_params = {"cifar100": {"lr_u": 1.0}}  # noqa: RUF012

    lr_u: Annotated[float, Field(ge=0)] = 10.0
    lr_v: Annotated[float, Field(ge=0)] = 10.0
    init_std: Annotated[float, Field(gt=0)] = 1e-8

    def setup(self) -> None:
        """Tiny random u and v."""
        draws, device = self.run.generator("sop"), self.run.device
        n, classes = self.run.n, self.run.n_classes
        self.u = (self.init_std * torch.randn(n, 1, generator=draws)).to(device)
        self.v = (self.init_std * torch.randn(n, classes, generator=draws)).to(device)

    def train_epoch(self, epoch: int) -> float:
        """One pass; the network's step first, then those of the samples' own u and v."""
        total = torch.zeros((), device=self.run.device)
        stretch = max(1.0, PAPER_EPOCHS / self.run.n_epochs) / PAPER_BATCH
        for batch in self.run.batches(epoch):
            u = self.u[batch.index].requires_grad_()
            v = self.v[batch.index].requires_grad_()
            losses = self.losses(batch, u, v)
            self.run.step(losses.mean())
            for kept, moved, lr in ((self.u, u, self.lr_u), (self.v, v, self.lr_v)):
                step = lr * stretch * len(losses) * moved.grad  # type: ignore[operator]
                kept[batch.index] = (moved.detach() - step).clamp(-1, 1)
            total += losses.detach().sum()
        return float(total / self.run.n)

    def losses(self, batch: Batch, u: Tensor, v: Tensor) -> Tensor:
        """Cross entropy of q, whose gradient is for the network and u, and v's squared error."""
        given = one_hot(batch.y, self.run.n_classes)
        plus, minus = u.square() * given, v.square() * (1 - given)
        logits = self.logits(batch.x)
        q = (logits.softmax(1) + plus - minus.detach()).clamp_min(EPSILON)
        fit = -(q.gather(1, batch.y[:, None]).squeeze(1) / q.sum(1)).log()
        guess = F.one_hot(logits.argmax(1), self.run.n_classes)
        return fit + (guess + plus.detach() - minus - given).square().sum(1)

    def label_belief(self) -> Tensor:
        """The given labels less what s explains of them, as shares."""
        given = one_hot(self.run.labels, self.run.n_classes)
        s = self.u.square() * given - self.v.square() * (1 - given)
        left = (given - s).clamp_min(0)
        total = left.sum(1, keepdim=True)
        return torch.where(total > EPSILON, left / total.clamp_min(EPSILON), given)
