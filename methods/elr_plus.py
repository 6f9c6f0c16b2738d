"""ELR+: early-learning regularisation with two networks, their averages and mixup."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Field, Method
from bench.training.recipes.averaging import average_of, follow
from bench.training.recipes.mixing import mixup, one_hot, soft_cross_entropy
from bench.training.recipes.phases import ramp

if TYPE_CHECKING:
    from torch import Tensor


class ELRPlus(Method):
    """ELR+: each network's targets come from the averaged weights of the other, under mixup.

    Section 4.3 of the paper. Per sample and network, ``t ← β t + (1 - β) p`` with p the prediction
    of the *other* network's weight average on the un-mixed sample; the loss on mixed samples is
    ``CE(y') + λ log(1 - ⟨p, t'⟩)`` with labels and targets mixed in the same proportion (λ_mix ≥
    1/2). The average's decay rises to 0.997 as ``exp(-5 (1 - s)²)``.

    Defaults: β 0.7, λ 3 and mixup α 1 on CIFAR-10; β 0.9, λ 7 on CIFAR-100, where λ rises in the
    same way (the authors' configuration files). The rises take 40,000 steps there, 0.57 of a run of
    200 epochs; here that share of the run. Told nothing; two networks, one weak view, no warm-up;
    two forward and backward passes and two more forward passes a sample. Both networks predict.

    Deviations: one optimiser for both networks; the averages predict with their network's running
    statistics of batch norm. Both networks see the same wrong labels: the authors' two loaders draw
    the noise separately, which lets the networks vote on the truth (found by a reproduction).
    """

    name = "elr-plus"
    paper = "Liu et al., Early-Learning Regularization, NeurIPS 2020, arXiv 2007.00151"
    family = "semi-supervised"
    uses = frozenset({"two_networks"})
    n_networks = 2
    cost = 2.7
    predicts = "mean logits of both networks"
    paper_params = {"cifar100": {"beta": 0.9, "lam": 7.0, "ramp_lam": True}}  # noqa: RUF012

    beta: Annotated[float, Field(ge=0, lt=1)] = 0.7
    lam: Annotated[float, Field(ge=0)] = 3.0
    ramp_lam: bool = False
    mixup_alpha: Annotated[float, Field(gt=0)] = 1.0
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.997
    rise_share: Annotated[float, Field(gt=0, le=1)] = 0.57

    def setup(self) -> None:
        """Averages start as copies, targets at zero."""
        self.first_average = average_of(self.networks[0])
        self.second_average = average_of(self.networks[1])
        shape = (2, self.run.n, self.run.n_classes)
        self.targets = torch.zeros(*shape, device=self.run.device)

    def train_epoch(self, epoch: int) -> float:
        """One pass for each network; returns the mean loss of both."""
        return (self.one_pass(0, epoch) + self.one_pass(1, epoch)) / 2

    def rise(self, position: float) -> float:
        """``exp(-5 (1 - s)²)``, s from 0 to 1 over the first ``rise_share`` of the run."""
        s = ramp(position, self.rise_share * self.run.n_epochs)
        return math.exp(-5 * (1 - s) ** 2)

    def one_pass(self, which: int, epoch: int) -> float:
        """Train one network on the targets that the other's average gives."""
        network = self.networks[which]
        averages = (self.first_average, self.second_average)
        mine, other = averages[which], averages[1 - which]
        total, seen = torch.zeros((), device=self.run.device), 0
        for batch in self.run.batches(epoch, repeat=which):
            rise = self.rise(epoch + seen / self.run.n)
            fresh = self.updated(which, other, batch.x, batch.index)
            labels = one_hot(batch.y, self.run.n_classes)
            together = torch.cat([labels, fresh], dim=1)
            x, mixed = mixup(batch.x, together, self.mixup_alpha, self.run.draws, keep_first=True)
            y, t = mixed.chunk(2, dim=1)
            loss = self.objective(network(x), y, t, rise if self.ramp_lam else 1.0)
            self.run.step(loss)
            follow(mine, network, self.decay * rise)
            total += loss.detach() * len(batch.y)
            seen += len(batch.y)
        return float(total / self.run.n)

    @torch.no_grad()
    def updated(self, which: int, other: torch.nn.Module, x: Tensor, index: Tensor) -> Tensor:
        """Move the targets of a batch towards the other average's prediction."""
        p = other(x).softmax(1).clamp(1e-4, 1 - 1e-4)
        fresh = self.beta * self.targets[which, index]
        fresh += (1 - self.beta) * p / p.sum(1, keepdim=True)
        self.targets[which, index] = fresh
        return fresh

    def objective(self, logits: Tensor, labels: Tensor, targets: Tensor, rise: float) -> Tensor:
        """``CE + λ log(1 - ⟨p, t⟩)``, the mean over a mixed batch."""
        p = logits.softmax(1).clamp(1e-4, 1 - 1e-4)
        agreement = (p * targets).sum(1)
        regulariser = (1 - agreement).log()
        return (soft_cross_entropy(logits, labels) + rise * self.lam * regulariser).mean()

    def label_belief(self) -> Tensor:
        """The mean of both networks' targets, as shares."""
        targets = self.targets.mean(0)
        total = targets.sum(1, keepdim=True)
        return torch.where(total > 0, targets / total, super().label_belief())
