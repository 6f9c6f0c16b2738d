"""Co-teaching: two networks choose small-loss samples for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Field, Method, Network
from bench.training.recipes.phases import shortened
from bench.training.recipes.selection import exchanged, keep_rate, small_loss_belief

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class CoTeaching(Method):
    """Co-teaching: each network trains on the samples with smallest loss of the other.

    Algorithm 1 of the paper. In epoch t (from 1) a share ``R(t) = 1 - min(τ t^c / T_k, τ)`` of each
    batch is kept; τ is the noise rate, which the method is told, c = 1 and T_k = 10 as in the
    paper, which trains for 200 epochs, on CIFAR-10 and CIFAR-100 alike. Two networks, one view, no
    warm-up, two forward and backward passes a sample. The belief is the given label where the sum
    of both losses is among the 1 - τ smallest, and the first network's prediction elsewhere.

    Deviations: one optimiser of the common protocol in place of Adam with its own decay; T_k stays
    10 epochs however long the run, as memorising is timed by epochs seen, but is at most
    ``phase_share`` of it; the first network predicts, as the paper evaluates each network on its
    own. Absent here: the authors' code divides the mean loss by the number kept a second time.
    """

    name = "co-teaching"
    paper = "Han et al., Co-teaching, NeurIPS 2018, arXiv 1804.06872"
    family = "selection"
    knows = frozenset({"noise_rate"})
    uses = frozenset({"two_networks"})
    n_networks = 2
    cost = 2.0
    predicts = "the first network"

    ramp_epochs: Annotated[int, Field(ge=1)] = 10
    phase_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    exponent: Annotated[float, Field(gt=0)] = 1.0

    def kept_share(self, epoch: int) -> float:
        """R(t) for ``epoch`` counted from 0."""
        ramp = shortened(self.ramp_epochs, self.phase_share, self.run.n_epochs)
        return keep_rate(epoch, self.run.known.noise_rate, ramp, self.exponent)

    def train_epoch(self, epoch: int) -> float:
        """Exchange the small-loss samples of every batch; returns the mean loss of those kept."""
        share = self.kept_share(epoch)
        total, n_kept = torch.zeros((), device=self.run.device), 0
        for batch in self.run.batches(epoch):
            losses = [
                F.cross_entropy(network(batch.x), batch.y, reduction="none")
                for network in self.networks
            ]
            rows = exchanged(losses, share)
            self.run.report_selection(batch.index[rows[0]])
            kept = [values[chosen] for values, chosen in zip(losses, rows, strict=True)]
            # The networks share no weights: one step on the sum is one step on each.
            self.run.step(kept[0].mean() + kept[1].mean())
            total += kept[0].detach().sum()
            n_kept += len(kept[0])
        return float(total / n_kept)

    def predictors(self) -> Sequence[Network]:
        """The first network."""
        return self.networks[:1]

    def label_belief(self) -> Tensor:
        """Given labels of the samples with small losses, predictions for the others."""
        labels = self.run.labels
        logits = [self.run.predict(network) for network in self.networks]
        losses = [F.cross_entropy(z, labels, reduction="none") for z in logits]
        return small_loss_belief(
            losses[0] + losses[1], 1 - self.run.known.noise_rate, labels, logits[0]
        )
