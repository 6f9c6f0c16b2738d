"""Decoupling: two networks learn only where they disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Field, Method, Network
from bench.training.recipes.selection import disagreement

if TYPE_CHECKING:
    from collections.abc import Sequence


class Decoupling(Method):
    """Decoupling: both networks are updated only by the samples they disagree on.

    Algorithm 1 of the paper ("update by disagreement"): of each batch, the samples for which the
    two networks, begun from different weights, predict different classes are kept; both learn from
    all of these by cross entropy. As in the authors' code the sum of losses is divided by the
    number kept, but at least by a tenth of the batch (``least_share``), so that one lone sample
    does not make a full step. No warm-up, which is their code's default; ``warmup_share`` trains
    both on everything for that share of the epochs. The paper has no setting for CIFAR-10 or
    CIFAR-100. Told nothing; two networks, one view, two forward and (at most) backward passes a
    sample. The selection on record is where the networks disagree, which nobody takes to be clean.

    Deviations: the common optimiser; the first network predicts; a batch without disagreement
    takes no step at all, so neither momentum nor weight decay moves the weights (re-implementations
    take the mean of nothing there, which is NaN).
    """

    name = "decoupling"
    paper = 'Malach & Shalev-Shwartz, Decoupling "when to update", NIPS 2017, arXiv 1706.02613'
    family = "selection"
    uses = frozenset({"two_networks"})
    n_networks = 2
    cost = 2.0
    predicts = "the first network"

    warmup_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    least_share: Annotated[float, Field(ge=0, le=1)] = 0.1

    def train_epoch(self, epoch: int) -> float:
        """Update where predictions differ; returns the first network's mean loss on all."""
        warm = epoch < round(self.warmup_share * self.run.n_epochs)
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            logits = [network(batch.x) for network in self.networks]
            losses = [F.cross_entropy(z, batch.y, reduction="none") for z in logits]
            total += losses[0].detach().sum()
            kept = torch.ones_like(losses[0]) if warm else disagreement(logits).float()
            if not warm:
                self.run.report_selection(batch.index, kept > 0)
            if not bool(kept.any()):
                continue
            weight = kept / kept.sum().clamp_min(self.least_share * len(kept))
            # The networks share no weights: one step on the sum is one step on each.
            self.run.step((weight * (losses[0] + losses[1])).sum())
        return float(total / self.run.n)

    def predictors(self) -> Sequence[Network]:
        """The first network."""
        return self.networks[:1]
