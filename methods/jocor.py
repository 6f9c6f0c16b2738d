"""JoCoR: two networks that agree choose small joint losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Field, Method, Network, Rate
from bench.training.recipes.phases import shortened
from bench.training.recipes.selection import keep_rate, small_loss_belief, smallest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def joint_loss(one: Tensor, other: Tensor, labels: Tensor, lam: float) -> Tensor:
    """``(1 - λ)(CE₁ + CE₂) + λ(KL(p₁‖p₂) + KL(p₂‖p₁))`` of two networks' logits, ``(b,)``."""
    p, q = one.log_softmax(1), other.log_softmax(1)
    supervised = -(p + q).gather(1, labels[:, None]).squeeze(1)
    agreement = ((p.exp() - q.exp()) * (p - q)).sum(1)
    return (1 - lam) * supervised + lam * agreement


class JoCoR(Method):
    """JoCoR: two networks share a loss that rewards agreement, and learn where it is small.

    Per sample ``(1 - λ)(CE₁ + CE₂) + λ(KL(p₁‖p₂) + KL(p₂‖p₁))``, with gradient through both
    arguments of both divergences; the share ``R(t) = 1 - min(τ t / T_k, τ)`` of a batch with the
    smallest joint losses is kept, and one optimiser steps both networks on its mean. τ is the noise
    rate, which the method is told, T_k = 10. Two networks, one view, no warm-up, two forward and
    backward passes a sample. The belief is the given label where the joint loss is among the 1 - τ
    smallest, and the first network's prediction elsewhere.

    λ: CIFAR-10 0.9, CIFAR-100 0.85 (the authors' notes to their code, where 0.65 is best on
    CIFAR-10 at 80 % noise). Elsewhere 0.5, the lower end of the range that they recommend, since
    they add that other networks or normalised inputs want another value than theirs, and since
    cross entropy, which weighs 1 - λ, learns that much slower here: their Adam does not see the
    scale of a loss, SGD does.

    Deviations: the common optimiser in place of Adam with its own decay; T_k stays 10 epochs
    however long the run, but is at most ``phase_share`` of it; the first network predicts, as the
    authors evaluate each on its own. Their code halves τ for asymmetric noise, whose nominal rate
    is twice the realised one on CIFAR-10; here τ is the realised rate.
    """

    name = "jocor"
    paper = "Wei et al., Combating Noisy Labels by Agreement, CVPR 2020, arXiv 2003.02752"
    family = "selection"
    knows = frozenset({"noise_rate"})
    uses = frozenset({"two_networks"})
    n_networks = 2
    cost = 2.0
    predicts = "the first network"
    paper_params = {"cifar10": {"lam": 0.9}, "cifar100": {"lam": 0.85}}  # noqa: RUF012

    lam: Rate = 0.5
    ramp_epochs: Annotated[int, Field(ge=1)] = 10
    phase_share: Annotated[float, Field(gt=0, le=1)] = 0.5

    def kept_share(self, epoch: int) -> float:
        """R(t) for ``epoch`` counted from 0."""
        ramp = shortened(self.ramp_epochs, self.phase_share, self.run.n_epochs)
        return keep_rate(epoch, self.run.known.noise_rate, ramp)

    def train_epoch(self, epoch: int) -> float:
        """Step both networks on the small joint losses; returns the mean of those."""
        share = self.kept_share(epoch)
        total, n_kept = torch.zeros((), device=self.run.device), 0
        for batch in self.run.batches(epoch):
            one, other = (network(batch.x) for network in self.networks)
            losses = joint_loss(one, other, batch.y, self.lam)
            small = smallest(losses, share)
            self.run.report_selection(batch.index[small])
            kept = losses[small]
            self.run.step(kept.mean())
            total += kept.detach().sum()
            n_kept += len(kept)
        return float(total / n_kept)

    def predictors(self) -> Sequence[Network]:
        """The first network."""
        return self.networks[:1]

    def label_belief(self) -> Tensor:
        """Given labels of the samples with small joint losses, predictions for the others."""
        labels = self.run.labels
        one, other = (self.run.predict(network) for network in self.networks)
        losses = joint_loss(one, other, labels, self.lam)
        return small_loss_belief(losses, 1 - self.run.known.noise_rate, labels, one)
