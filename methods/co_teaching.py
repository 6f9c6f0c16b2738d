"""Co-teaching: two networks choose small-loss samples for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Field, Method, Network

if TYPE_CHECKING:
    from collections.abc import Sequence


class CoTeaching(Method):
    """Co-teaching: each network trains on the samples with smallest loss of the other.

    Algorithm 1 of the paper. In epoch t (from 1) a share R(t) = 1 - min(t τ / T_k, τ) of each batch
    is kept; τ is the noise rate, which the method is told, and T_k = 10 as in the paper, which
    trains for 200 epochs. Two networks, one view, two forward and backward passes a sample.

    Deviations: one optimiser of the common protocol in place of Adam with its own decay;
    ``ramp_share`` shortens T_k in protocols of fewer than 100 epochs to that share of them; the
    first network predicts, as the paper evaluates each network on its own.
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
    ramp_share: Annotated[float, Field(gt=0, le=1)] = 0.1

    def kept_share(self, epoch: int) -> float:
        """R(t) for ``epoch`` counted from 0."""
        rate = self.run.known.noise_rate
        ramp = min(self.ramp_epochs, max(1, round(self.ramp_share * self.run.n_epochs)))
        return 1 - min((epoch + 1) / ramp * rate, rate)

    def train_epoch(self, epoch: int) -> float:
        """Exchange the small-loss samples of every batch; returns the mean loss of those kept."""
        share = self.kept_share(epoch)
        total, n_kept = torch.zeros((), device=self.run.device), 0
        for batch in self.run.batches(epoch):
            losses = [
                F.cross_entropy(network(batch.x), batch.y, reduction="none")
                for network in self.networks
            ]
            keep = max(1, int(share * len(batch.y)))
            small = [loss.detach().argsort()[:keep] for loss in losses]
            # The networks share no weights: one step on the sum is one step on each.
            self.run.step(losses[0][small[1]].mean() + losses[1][small[0]].mean())
            total += losses[0].detach()[small[1]].sum()
            n_kept += keep
        return float(total / n_kept)

    def predictors(self) -> Sequence[Network]:
        """The first network."""
        return self.networks[:1]
