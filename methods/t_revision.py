"""Importance reweighting with a transition matrix that is revised while training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Batch, Field, Method
from bench.training.recipes.transition import anchors, estimator, posterior, truth

if TYPE_CHECKING:
    from torch import Tensor


class TRevision(Method):
    """T-Revision: importance reweighting, then a learned correction of the transition matrix.

    (1) Cross entropy before the first epoch; T from the anchor samples of that network, which goes
    on. (2) ``β · CE`` with the weight ``β = p_y / (Tᵀp)_y``, a constant for the gradient. (3) The
    same with ``T + ΔT`` in place of T, entries kept positive and rows rescaled to sum to 1; ΔT
    starts at 0 and is learned through β by Adam of its own (5e-7, weight decay 1e-4), together with
    the network. The authors' stages have 20, 200 and 200 epochs on CIFAR-10 (CIFAR-100: 15 first,
    and no outlier filter): here stages 2 and 3 share the run's epochs, and stage 1 has
    ``estimator_share`` of them in addition, never fewer than 20 or half of a shorter run. Told
    nothing, one network, one view, one forward and backward pass a sample, and stage 1's (a
    twentieth at 400 epochs). At few steps ΔT moves little: 5e-7 a step is the authors' value, for
    70,000 steps.

    Deviations: the common protocol, whose learning rate falls through stages 2 and 3, in place of
    5e-7 for the network too in stage 3; β is a constant for the network in stage 3 as well; no
    stage chooses an epoch, as that is the harness's. Absent: ΔT without a gradient (the authors'
    second version of the loss), ΔT added once for each sample (Dual T's copy), rows scaled by the
    sums of other rows, and an outlier filter that later rows can see.
    """

    name = "t-revision"
    paper = "Xia et al., Are Anchor Points Really Indispensable, NeurIPS 2019, arXiv 1906.00189"
    family = "transition"
    cost = 1.05
    paper_params = {"cifar100": {"estimator_share": 0.0375, "quantile": 1.0}}  # noqa: RUF012

    estimator_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    revision_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    slack_lr: Annotated[float, Field(gt=0)] = 5e-7
    quantile: Annotated[float, Field(gt=0, le=1)] = 0.97

    def setup(self) -> None:
        """No matrix yet, and no slack."""
        classes, device = self.run.n_classes, self.run.device
        self.transition = torch.eye(classes, device=device)
        self.slack = torch.zeros(classes, classes, device=device, requires_grad=True)
        self.slack_optimiser = torch.optim.Adam([self.slack], self.slack_lr, weight_decay=1e-4)

    def revising(self, epoch: int) -> bool:
        """Whether the slack is learned in an epoch: stage 3."""
        return epoch >= self.run.n_epochs - round(self.revision_share * self.run.n_epochs)

    def revised(self) -> Tensor:
        """T + ΔT as a transition matrix: entries above zero, rows that sum to 1."""
        return F.normalize((self.transition + self.slack).clamp_min(1e-12), p=1, dim=1)

    def train_epoch(self, epoch: int) -> float:
        """One pass of stage 2 or 3; before the first one stage 1."""
        if epoch == 0:
            trained = estimator(self.run, self.estimator_share)
            self.transition = anchors(posterior(self.run, trained), self.quantile).float()
            self.networks[0].load_state_dict(trained.state_dict())
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            losses = self.loss(batch)
            self.slack_optimiser.zero_grad()
            self.run.step(losses.mean())
            if self.revising(epoch):
                self.slack_optimiser.step()
            total += losses.detach().sum()
        return float(total / self.run.n)

    def loss(self, batch: Batch) -> Tensor:
        """Reweighted cross entropy; the slack is reached through the weight."""
        logits = self.logits(batch.x)
        p = logits.detach().softmax(1)
        given = (p @ self.revised()).gather(1, batch.y[:, None]).squeeze(1)
        weight = p.gather(1, batch.y[:, None]).squeeze(1) / given.clamp_min(1e-12)
        return weight * F.cross_entropy(logits, batch.y, reduction="none")

    def label_belief(self) -> Tensor:
        """What the network and the revised T say of the true label, the given one seen."""
        logits = self.run.predict(self.networks[0])
        return truth(logits, self.run.labels, self.revised())
