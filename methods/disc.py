"""DISC: clean, hard and purified samples by thresholds of each sample's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Field, Method
from bench.training.recipes.mixing import mixup, one_hot, soft_cross_entropy
from bench.training.recipes.phases import shortened

if TYPE_CHECKING:
    from torch import Tensor

WEAK, STRONG = 0, 1


class DISC(Method):
    """DISC: a weak and a strong view must both clear thresholds that follow each sample.

    Section 3 of the paper. After a warm-up by cross entropy on both views, per sample and view
    ``τ ← m τ + (1 - m) max_c p_c`` (from 1/n), once an epoch. Clean: the label's probability
    exceeds τ in both views; hard: in one; purified: in none, but the mean prediction exceeds
    ``min(mean τ + 0.5, 0.99)``, and its argmax becomes the label. Loss: cross entropy on the clean
    and GCE (q 0.7) on the hard, each by its share of the batch, plus mixup (α 5) of all three on
    each view.

    Defaults, for CIFAR-10 and CIFAR-100 (the authors' code): m 0.99, warm-up 20 of 200 epochs (15
    for noise by instance, which we are not told). That code takes m 0.95 and a smaller weight
    of the hard for asymmetric noise and for rates of 0.6 and more, which we are not told. Told
    nothing; one network, a weak and a strong view; about four forward and backward passes a sample.
    The selection on record is the clean part.

    Deviations: the common optimiser (theirs is SGD without momentum); ``phase_share`` shortens the
    warm-up; m is the paper's for 200 epochs, and its 200/E-th power in a run of E, so that
    thresholds have risen as far by its end; RandAugment and cutout as the strong view. The authors'
    code also loads the true labels, for logging; here there are none.
    """

    name = "disc"
    paper = "Li et al., DISC: Dynamic Instance-Specific Selection and Correction, CVPR 2023"
    family = "semi-supervised"
    uses = frozenset({"strong_augmentation"})
    cost = 4.0

    warmup_epochs: Annotated[int, Field(ge=1)] = 20
    phase_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.99
    momentum_epochs: Annotated[int, Field(ge=1)] = 200
    margin: Annotated[float, Field(ge=0)] = 0.5
    highest: Annotated[float, Field(gt=0, le=1)] = 0.99
    weight_hard: Annotated[float, Field(ge=0)] = 1.0
    q: Annotated[float, Field(gt=0, le=1)] = 0.7
    alpha: Annotated[float, Field(gt=0)] = 5.0

    def setup(self) -> None:
        """No predictions yet, lowest thresholds, nothing selected."""
        n, device = self.run.n, self.run.device
        self.warmup = shortened(self.warmup_epochs, self.phase_share, self.run.n_epochs)
        self.p = torch.zeros(2, n, self.run.n_classes, device=device)
        self.tau = torch.full((2, n), 1 / n, device=device)
        self.clean = torch.zeros(n, dtype=torch.bool, device=device)
        self.hard = torch.zeros(n, dtype=torch.bool, device=device)
        self.purified = torch.zeros(n, dtype=torch.bool, device=device)
        self.labels = self.run.labels.clone()

    def train_epoch(self, epoch: int) -> float:
        """One pass over weak and strong views."""
        if epoch >= self.warmup:
            self.run.report_selection(self.clean)
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            views = (batch.x, self.run.view(batch.index, "strong"))
            logits = self.networks[0](torch.cat(views)).chunk(2)
            self.p[:, batch.index] = torch.stack(logits).detach().softmax(2)
            if epoch < self.warmup:
                loss = sum(F.cross_entropy(z, batch.y) for z in logits)
            else:
                loss = self.selective(batch.index, batch.y, views, logits)
            self.run.step(loss)
            total += loss.detach() * len(batch.y)
        return float(total / self.run.n)

    def selective(
        self,
        index: Tensor,
        given: Tensor,
        views: tuple[Tensor, Tensor],
        logits: tuple[Tensor, Tensor],
    ) -> Tensor:
        """Cross entropy on clean, GCE on hard, mixup on all that have a label worth learning."""
        clean, hard = self.clean[index].float(), self.hard[index].float()
        usable = (self.clean | self.hard | self.purified)[index].nonzero().squeeze(1)
        targets = one_hot(self.labels[index], self.run.n_classes)
        loss = views[0].new_zeros(())
        for x, z in zip(views, logits, strict=True):
            log_p = z.log_softmax(1).gather(1, given[:, None]).squeeze(1)
            gce = -torch.expm1(self.q * log_p) / self.q
            loss = loss + (clean * -log_p + self.weight_hard * hard * gce).mean()
            if len(usable) > 1:
                mixed, t = mixup(x[usable], targets[usable], self.alpha, self.run.draws)
                loss = loss + soft_cross_entropy(self.networks[0](mixed), t).mean()
        return loss + 0 * sum(z.sum() for z in logits)  # a graph even where nothing is selected

    def on_epoch_end(self, epoch: int) -> None:
        """Select and correct by the thresholds so far, then move them."""
        y = self.run.labels
        rows = torch.arange(self.run.n, device=self.run.device)
        above = self.p[:, rows, y] > self.tau
        self.clean, self.hard = above.all(0), above.any(0) & ~above.all(0)
        largest, guess = self.p.mean(0).max(1)
        bar = (self.tau.mean(0) + self.margin).clamp_max(self.highest)
        self.purified = (largest > bar) & ~above.any(0)
        self.labels = torch.where(self.purified, guess, y)
        m = self.momentum ** (self.momentum_epochs / self.run.n_epochs)
        self.tau = m * self.tau + (1 - m) * self.p.max(2).values

    def label_belief(self) -> Tensor:
        """Labels of clean, hard and purified samples; the mean prediction for the rest."""
        usable = (self.clean | self.hard | self.purified)[:, None]
        mean = self.p.mean(0)
        seen = mean.sum(1, keepdim=True) > 0
        labels = one_hot(self.labels, self.run.n_classes)
        return torch.where(usable | ~seen, labels, mean)
