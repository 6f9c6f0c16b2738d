"""Co-teaching+: small-loss samples are exchanged among those the networks disagree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Field, Method, Network
from bench.training.recipes.phases import shortened
from bench.training.recipes.selection import (
    disagreement,
    exchanged,
    keep_rate,
    small_loss_belief,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class CoTeachingPlus(Method):
    """Co-teaching+: exchange small-loss samples among those on which the networks disagree.

    Algorithm 1 of the paper. The first epochs are Co-teaching on the whole batch. Then, of the
    samples of a batch for which the two networks predict different classes, each network takes
    the share ``R(t) = 1 - min(τ t / T_k, τ)`` with its smallest losses, and the other trains on
    them. τ is the noise rate, which the method is told; T_k = 10. Warm-up: CIFAR-10 20 epochs,
    CIFAR-100 5, of 200 (the authors' code). Two networks, one view, two forward and (at most)
    backward passes a sample. The belief is the given label where the sum of both losses is among
    the 1 - τ smallest, and the first network's prediction elsewhere.

    Deviations: the common optimiser in place of Adam with its own decay; T_k and the warm-up keep
    their epochs however long the run, but are at most ``phase_share`` of it; the first network
    predicts, as the authors evaluate each on its own; a batch without disagreement takes no step
    (the authors' code then averages over all samples while epoch times batch number is below 5000,
    and over none later); at least one sample is kept (theirs: all that disagree, where the share
    comes to none). Absent here: in their code soft-max outputs enter a cross entropy that applies
    the soft-max again, the mean is divided by the number kept a second time, and the sample with
    index 0 is dropped and shifts the rest.
    """

    name = "co-teaching-plus"
    paper = "Yu et al., How does Disagreement Help, ICML 2019, arXiv 1901.04215"
    family = "selection"
    knows = frozenset({"noise_rate"})
    uses = frozenset({"two_networks"})
    n_networks = 2
    cost = 2.0
    predicts = "the first network"
    paper_params = {"cifar100": {"warmup_epochs": 5}}  # noqa: RUF012

    warmup_epochs: Annotated[int, Field(ge=1)] = 20
    ramp_epochs: Annotated[int, Field(ge=1)] = 10
    phase_share: Annotated[float, Field(gt=0, le=1)] = 0.5

    def kept_share(self, epoch: int) -> float:
        """R(t) for ``epoch`` counted from 0."""
        ramp = shortened(self.ramp_epochs, self.phase_share, self.run.n_epochs)
        return keep_rate(epoch, self.run.known.noise_rate, ramp)

    def train_epoch(self, epoch: int) -> float:
        """Exchange small-loss samples; returns the mean loss of those the first one learnt from."""
        share = self.kept_share(epoch)
        warm = epoch < shortened(self.warmup_epochs, self.phase_share, self.run.n_epochs)
        total, n_kept = torch.zeros((), device=self.run.device), 0
        for batch in self.run.batches(epoch):
            logits = [network(batch.x) for network in self.networks]
            losses = [F.cross_entropy(z, batch.y, reduction="none") for z in logits]
            index = batch.index
            if not warm:
                differ = disagreement(logits).nonzero().squeeze(1)
                index = index[differ]
                if len(index) == 0:
                    self.run.report_selection(index)
                    continue
                losses = [values[differ] for values in losses]
            rows = exchanged(losses, share)
            self.run.report_selection(index[rows[0]])
            kept = [values[chosen] for values, chosen in zip(losses, rows, strict=True)]
            self.run.step(kept[0].mean() + kept[1].mean())
            total += kept[0].detach().sum()
            n_kept += len(kept[0])
        return float(total / max(1, n_kept))

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
