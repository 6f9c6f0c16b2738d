"""Mixup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import Batch, Field, Method
from bench.training.recipes.mixing import mixup, one_hot, soft_cross_entropy

if TYPE_CHECKING:
    from torch import Tensor


class Mixup(Method):
    """Mixup: train on convex combinations of two samples and of their labels.

    ``x = λ x_i + (1 - λ) x_j`` with loss ``λ CE(y_i) + (1 - λ) CE(y_j)``, where j is a permutation
    of the batch and ``λ ~ Beta(α, α)`` is drawn once a batch, as in the paper's reference code. α =
    1 for CIFAR-10 and CIFAR-100 (the paper's setting for CIFAR; its experiments with random labels
    take larger ones, chosen by the noise rate, which this method is not told).

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.
    Deviation: the common optimiser and protocol; published results are after 200 epochs and more,
    and in shorter runs mixup fits less.
    """

    name = "mixup"
    paper = "Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018, arXiv 1710.09412"
    family = "augmentation"

    alpha: Annotated[float, Field(gt=0)] = 1.0

    def loss(self, batch: Batch) -> Tensor:
        """Cross entropy of the mixed samples to the mixed labels."""
        labels = one_hot(batch.y, self.run.n_classes)
        x, targets = mixup(batch.x, labels, self.alpha, self.run.draws)
        return soft_cross_entropy(self.logits(x), targets)
