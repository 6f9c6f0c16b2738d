"""CORES²: a confidence regulariser, and a sieve without a threshold to tune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Field, Method
from bench.training.recipes.selection import belief_of_kept

if TYPE_CHECKING:
    from torch import Tensor

FLOOR = 1e-8
"""Added to a probability before its logarithm: what the regulariser can gain is bounded."""


def penalties(logits: Tensor) -> Tensor:
    """Cross entropy to each class, ``-log(p_k + 1e-8)``: ``(b, C)``."""
    return -(logits.softmax(1) + FLOOR).log()


def passes(logits: Tensor, labels: Tensor) -> Tensor:
    """The sieve: the loss is not above its mean over all classes, ``(b,)`` bool."""
    losses = F.cross_entropy(logits, labels, reduction="none")
    return losses <= penalties(logits).mean(1)


class CORES(Method):
    """CORES²: confidence-regularised cross entropy, and a sieve that drops doubtful samples.

    Per sample ``CE - β(t) Σ_k π_k (-log p_k)``, where π is the distribution of the given labels of
    the samples kept in the epoch before (at first of all samples): the regulariser makes
    predictions confident, whatever the label. After ``sieve_share`` of the epochs a sample counts
    only while ``CE - mean_k(-log p_k) ≤ 0``, that is while its loss is not above the mean over all
    labels it could have; the loss of a batch is the mean over those kept, and 0 where none is.

    Defaults, for CIFAR-10 and CIFAR-100, from the authors' code (100 epochs): β is 0 for 10 epochs,
    rises linearly to 2 until epoch 40 and stays; the sieve works after epoch 30. The floor of 1e-8
    inside the logarithm, without which nothing bounds the loss below, is theirs too. This is their
    first phase (not CORES²*, which goes on to learn consistency on the samples sieved out). Told
    nothing: π comes from the given labels. One network, one view, one forward and backward pass a
    sample, ``C`` numbers of state. The belief is the given label where the sieve keeps a sample
    and the prediction elsewhere.

    Deviations: the common optimiser in place of SGD without momentum or weight decay. Their
    learning rate divided by 1 + β is a loss divided by 1 + β here: the same gradient step, but
    weight decay stays. Absent here: their code returns another type where a batch is rejected as a
    whole, and keeps losses of all samples and epochs on the host.
    """

    name = "cores"
    paper = "Cheng et al., A Sample Sieve Approach, ICLR 2021, arXiv 2010.02347"
    family = "selection"

    beta: Annotated[float, Field(ge=0)] = 2.0
    ramp_start: Annotated[float, Field(ge=0, le=1)] = 0.1
    ramp_stop: Annotated[float, Field(ge=0, le=1)] = 0.4
    sieve_share: Annotated[float, Field(ge=0, le=1)] = 0.3

    def setup(self) -> None:
        """The prior is that of the given labels."""
        counts = torch.bincount(self.run.labels, minlength=self.run.n_classes).float()
        self.prior = counts / counts.sum()

    def weight(self, epoch: int) -> float:
        """β(t) for ``epoch`` counted from 0."""
        start, stop = (share * self.run.n_epochs for share in (self.ramp_start, self.ramp_stop))
        risen = (epoch - start) / max(stop - start - 1, 1e-9)
        return self.beta * min(max(risen, 0.0), 1.0)

    def train_epoch(self, epoch: int) -> float:
        """One pass; returns the mean loss of the samples kept."""
        beta = self.weight(epoch)
        sieving = epoch > self.sieve_share * self.run.n_epochs
        total = torch.zeros((), device=self.run.device)
        counts = torch.zeros_like(self.prior)
        for batch in self.run.batches(epoch):
            logits = self.networks[0](batch.x)
            losses = F.cross_entropy(logits, batch.y, reduction="none")
            losses = losses - beta * (penalties(logits) * self.prior).sum(1)
            kept = torch.ones_like(losses)
            if sieving:
                passed = passes(logits.detach(), batch.y)
                self.run.report_selection(batch.index, passed)
                kept = passed.float()
            chosen = (losses * kept).sum() / (1 + beta)
            self.run.step(chosen / kept.sum().clamp_min(1))
            total += chosen.detach()
            counts += (F.one_hot(batch.y, self.run.n_classes) * kept[:, None]).sum(0)
        n_kept = counts.sum()
        self.prior = torch.where(n_kept > 0, counts / n_kept.clamp_min(1), self.prior)
        return float(total / n_kept.clamp_min(1))

    def label_belief(self) -> Tensor:
        """Given labels of the samples that pass the sieve, predictions for the others."""
        logits = self.run.predict(self.networks[0])
        return belief_of_kept(passes(logits, self.run.labels), self.run.labels, logits)
