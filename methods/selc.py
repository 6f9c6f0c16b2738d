"""Self-ensemble label correction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch.nn.functional as F

from bench.api import Batch, Field, Method
from bench.training.recipes.mixing import one_hot, soft_cross_entropy

if TYPE_CHECKING:
    from torch import Tensor


class SELC(Method):
    """Self-ensemble label correction: given labels fade into averages of the predictions.

    Until a turning point the loss is cross entropy; then ``t ← α t + (1 - α) p`` (p detached, t
    starts as the given label) and the loss is ``-t · log p``, so that the given label's weight
    is ``α^k`` after k epochs. α = 0.9 (the authors' code).

    The paper finds the turning point, after which wrong labels are memorised, in a training of its
    own by a metric on the losses; the authors' code reads it from a table by data set and *true*
    noise rate (20 to 40 of 200 epochs), which tells a method what it must not know. Here it is one
    share of the run, told nothing: 0.2 (40 epochs, most of the table's CIFAR-10 rows) and for
    CIFAR-100 0.15 (30 epochs), at least one epoch.

    Told nothing; one network, one view; one forward and backward pass a sample; ``n × C`` numbers
    of state. Deviations: the turning point; the common optimiser and protocol. The second training
    with mixup (SELC+) is another method. Absent here: ``log(softmax)``, which overflows.
    """

    name = "selc"
    paper = (
        "Lu & He, SELC: Self-Ensemble Label Correction Improves Learning with Noisy Labels, "
        "IJCAI 2022, arXiv 2205.01156"
    )
    family = "refinement"
    paper_params = {"cifar100": {"turning_share": 0.15}}  # noqa: RUF012

    alpha: Annotated[float, Field(ge=0, lt=1)] = 0.9
    turning_share: Annotated[float, Field(ge=0, le=1)] = 0.2

    def setup(self) -> None:
        """Targets start as the given labels."""
        self.targets = one_hot(self.run.labels, self.run.n_classes)

    def turning_point(self) -> int:
        """Epochs of cross entropy."""
        return max(1, round(self.turning_share * self.run.n_epochs))

    def train_epoch(self, epoch: int) -> float:
        """Cross entropy up to the turning point, then the method's own loss."""
        self.corrects = epoch >= self.turning_point()
        return super().train_epoch(epoch)

    def loss(self, batch: Batch) -> Tensor:
        """Cross entropy to the targets, after they moved."""
        logits = self.logits(batch.x)
        if not self.corrects:
            return F.cross_entropy(logits, batch.y, reduction="none")
        moved = self.targets[batch.index].lerp(logits.detach().softmax(1), 1 - self.alpha)
        self.targets[batch.index] = moved
        return soft_cross_entropy(logits, moved)

    def label_belief(self) -> Tensor:
        """The targets."""
        return self.targets
