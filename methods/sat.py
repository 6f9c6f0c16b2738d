"""Self-adaptive training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch.nn.functional as F

from bench.api import Batch, Field, Method
from bench.training.recipes.mixing import one_hot, soft_cross_entropy

if TYPE_CHECKING:
    from torch import Tensor


class SAT(Method):
    """Self-adaptive training: targets move to the predictions, sure samples count more.

    Algorithm 1 of the paper. After a warm-up by cross entropy, ``t ← α t + (1 - α) p`` (p detached,
    t starts as the given label), ``w = max_k t_k``, and the loss is ``Σ w (-t · log p) / Σ w`` over
    the batch. α = 0.9 and a warm-up of 60 of 200 epochs, for CIFAR-10 and CIFAR-100 (the paper's
    settings), hence ``warmup_share`` 0.3, and at least one epoch.

    Told nothing; one network, one view; one forward and backward pass a sample; ``n × C`` numbers
    of state. Deviation: the common optimiser and protocol. α is per epoch and not stretched: a run
    of few epochs moves its targets less far.
    """

    name = "sat"
    paper = (
        "Huang et al., Self-Adaptive Training: beyond Empirical Risk Minimization, NeurIPS 2020, "
        "arXiv 2002.10319"
    )
    family = "refinement"

    alpha: Annotated[float, Field(ge=0, lt=1)] = 0.9
    warmup_share: Annotated[float, Field(ge=0, le=1)] = 0.3

    def setup(self) -> None:
        """Targets start as the given labels."""
        self.targets = one_hot(self.run.labels, self.run.n_classes)

    def warmup(self) -> int:
        """Epochs of cross entropy."""
        return max(1, round(self.warmup_share * self.run.n_epochs))

    def train_epoch(self, epoch: int) -> float:
        """Cross entropy first, then the method's own loss."""
        self.adapts = epoch >= self.warmup()
        return super().train_epoch(epoch)

    def loss(self, batch: Batch) -> Tensor:
        """Weighted cross entropy to the targets, after they moved."""
        logits = self.logits(batch.x)
        if not self.adapts:
            return F.cross_entropy(logits, batch.y, reduction="none")
        moved = self.targets[batch.index].lerp(logits.detach().softmax(1), 1 - self.alpha)
        self.targets[batch.index] = moved
        weight = moved.amax(1)
        return weight / weight.mean() * soft_cross_entropy(logits, moved)

    def label_belief(self) -> Tensor:
        """The targets."""
        return self.targets
