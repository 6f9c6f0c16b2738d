"""Peer loss: what a label explains beyond what any label would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Field, Method

if TYPE_CHECKING:
    from torch import Tensor

FLOOR = 1e-5
"""Added to a probability before its logarithm: a peer term is at most ``-log(1e-5)``."""


def bounded_ce(logits: Tensor, labels: Tensor) -> Tensor:
    """``-log(p_y + 1e-5)``, ``(b,)``."""
    return -(logits.softmax(1) + FLOOR).log().gather(1, labels[:, None]).squeeze(1)


class PeerLoss(Method):
    """Peer loss: cross entropy minus α times that of a random input with a random label.

    ``ℓ(f(x_i), y_i) - α ℓ(f(x_j), y_k)``, j and k drawn from the training samples independently of
    i and of each other. With α = 1 and symmetric noise of rate ε on C classes its expectation is
    that on clean labels times ``1 - ε C / (C - 1)``: the minimum is the same, and no rate need be
    known.

    Defaults. The authors' multi-class code for CIFAR-10 (300 epochs) has α 0 for 20 epochs, then
    rising to 1 at epoch 40, and on to 2, 5, 10 and 20 at epochs 50, 100, 200 and 300; but its
    learning rate falls tenfold every 40 epochs, so that 45 % of the sum of all rates is spent
    before α rises and 90 % before it reaches 1. A cosine has spent as much after 24 % and 60 % of
    the epochs: here α is 0 until then, rises to 1, and stays; 1 is the paper's unweighted loss.
    CIFAR-100 (250 epochs): 0 for 100 epochs, then 0.95, as their code has it for noise above 20 %
    (below that it raises α to 20; the noise rate decides, and ours is not told).

    Nothing bounds the loss below, since a peer's cross entropy has no upper bound; their code adds
    1e-5 to probabilities inside the logarithm of both terms, and so do we: a peer term ends at
    11.5, and its gradient before. Told nothing, one network, one view; two forward and backward
    passes a sample once α > 0.

    Deviations: the common optimiser and its schedule, hence the other course of α (theirs can be
    given as ``points``). Their learning rate divided by 1 + α is a loss divided by 1 + α here: the
    same gradient step, but weight decay keeps its rate. Their optimiser is made anew every epoch,
    ours once; their CIFAR-100 run goes on from the best weights at noisy validation, ours from the
    last. Peers are drawn with replacement, theirs are the first batch of a fresh shuffle.
    """

    name = "peer-loss"
    paper = "Liu & Guo, Peer Loss Functions, ICML 2020, arXiv 1910.03231"
    family = "selection"
    cost = 2.0
    paper_params = {"cifar100": {"points": ((0.4, 0.0), (0.4, 0.95))}}  # noqa: RUF012

    points: Annotated[tuple[tuple[float, float], ...], Field(min_length=1)] = (
        (0.24, 0.0),
        (0.6, 1.0),
    )
    """(share of the epochs, α), ascending; linear in between, constant outside."""

    def alpha(self, epoch: int) -> float:
        """α for ``epoch`` counted from 0."""
        share = epoch / self.run.n_epochs
        at, value = 0.0, self.points[0][1]
        for until, target in self.points:
            if share < until:
                return value + (target - value) * (share - at) / (until - at)
            at, value = until, target
        return value

    def peers(self, size: int) -> tuple[Tensor, Tensor]:
        """Two independent draws of training samples, with replacement."""
        one, other = torch.randint(self.run.n, (2, size), generator=self.run.draws)
        return one.to(self.run.device), other.to(self.run.device)

    def train_epoch(self, epoch: int) -> float:
        """One pass with fresh peers for every batch; returns the mean loss."""
        alpha = self.alpha(epoch)
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            losses = bounded_ce(self.logits(batch.x), batch.y)
            if alpha > 0:
                j, k = self.peers(len(batch.y))
                peer = bounded_ce(self.logits(self.run.view(j)), self.run.labels[k])
                losses = (losses - alpha * peer) / (1 + alpha)
            self.run.step(losses.mean())
            total += losses.detach().sum()
        return float(total / self.run.n)
