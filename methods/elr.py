"""Early-learning regularisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Batch, Field, Method

if TYPE_CHECKING:
    from torch import Tensor


class ELR(Method):
    """Early-learning regularisation: stay close to a moving average of one's own predictions.

    Per sample, ``t ← β t + (1 - β) p`` (equation 9 of the paper, p detached and renormalised) and
    the loss is ``CE + λ log(1 - ⟨p, t⟩)`` (equation 6), with p clamped to 1e-4 … 1 - 1e-4 and t
    starting at 0, as in the authors' code. Defaults: CIFAR-10 with symmetric noise β 0.7, λ 3;
    CIFAR-100 β 0.9, λ 7 (the authors' configuration files; CIFAR-10 asymmetric is β 0.9, λ 1). Told
    nothing; one network, one view, no warm-up; one forward and backward pass a sample; ``n × C``
    numbers of state.

    Deviations: the common optimiser and protocol (the authors restart a cosine every ten epochs on
    CIFAR-10 with symmetric noise, and cut the rate at two milestones elsewhere); one pair of β and
    λ for a data set, as the kind of noise is not told.
    """

    name = "elr"
    paper = "Liu et al., Early-Learning Regularization, NeurIPS 2020, arXiv 2007.00151"
    family = "regularisation"
    paper_params = {"cifar100": {"beta": 0.9, "lam": 7.0}}  # noqa: RUF012

    beta: Annotated[float, Field(ge=0, lt=1)] = 0.7
    lam: Annotated[float, Field(ge=0)] = 3.0

    def setup(self) -> None:
        """Targets start at zero."""
        self.targets = torch.zeros(self.run.n, self.run.n_classes, device=self.run.device)

    def loss(self, batch: Batch) -> Tensor:
        """Cross entropy plus the regulariser, after the targets moved."""
        logits = self.logits(batch.x)
        p = logits.softmax(1).clamp(1e-4, 1 - 1e-4)
        with torch.no_grad():
            fresh = p / p.sum(1, keepdim=True)
            self.targets[batch.index] = (
                self.beta * self.targets[batch.index] + (1 - self.beta) * fresh
            )
        agreement = (self.targets[batch.index] * p).sum(1)
        return F.cross_entropy(logits, batch.y, reduction="none") + self.lam * (1 - agreement).log()

    def label_belief(self) -> Tensor:
        """The targets, as shares."""
        total = self.targets.sum(1, keepdim=True)
        return torch.where(total > 0, self.targets / total, super().label_belief())
