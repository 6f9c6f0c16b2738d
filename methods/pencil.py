"""PENCIL: labels as parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch
import torch.nn.functional as F

from bench.api import Field, Method
from bench.training.recipes.mixing import one_hot, soft_cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

PAPER_BATCH = 128
PAPER_EPOCHS = 320


class PENCIL(Method):
    """PENCIL: each label is a soft-max of logits that are learned along with the network.

    Label logits start at 10 times the given label; ``y = softmax`` of them. Three stages, of 70,
    130 and 120 of the paper's 320 epochs: (1) cross entropy with the given labels at a constant
    learning rate; (2) at the same rate ``KL(p ‖ y) / K + α L_o + β H(p) / K``, whose gradient also
    moves the label logits, by λ times it; (3) ``KL(p ‖ y) / K`` with y fixed, on the protocol's
    schedule anew. K is the number of classes: the paper divides two terms by it, the authors' code
    by its means over batch and classes.

    The compatibility L_o of y with the given label has two forms. ``"paper"`` is cross entropy,
    ``-log y_given``. Labels then rest at ``(p/K + α e)/(1/K + α)``, e the given label, so that for
    α ≥ 1/K no label ever changes its class, however sure the network is. ``"code"``, the default,
    is what the authors' code computes and their results come from: cross entropy of *another*
    soft-max of y, which lets a label go. α = 0.1, β = 0.4, λ = 600 are the paper's values as users
    of the code report them (the code's own defaults are 0.4 and 0.1, with which neither form
    corrects a label at K = 10), for CIFAR-10 and CIFAR-100 alike; not checked against the paper.

    λ is per mean of a batch of 128, as in the paper: a label's step does not depend on how many
    share its batch. A label is visited once an epoch; runs of fewer than 320 epochs make
    ``320 / epochs`` steps a visit with the network's output held, to get as far.

    Told nothing; one network, one view; one forward and backward pass a sample; ``n × K`` numbers
    of state. Deviations: the common optimiser and protocol (the authors: 0.06 constant, then 0.2),
    hence of stages 2 and 3, whose division by K is a tenth of the learning rate and less, little
    remains in very short runs; the steps a visit. Absent here: the authors' integer division, which
    makes the learning rate 0 after a third of stage 3.
    """

    name = "pencil"
    paper = (
        "Yi & Wu, Probabilistic End-to-end Noise Correction for Learning with Noisy Labels, "
        "CVPR 2019, arXiv 1903.07788"
    )
    family = "correction"

    alpha: Annotated[float, Field(ge=0)] = 0.1
    beta: Annotated[float, Field(ge=0)] = 0.4
    lam: Annotated[float, Field(ge=0)] = 600.0
    stage1_share: Annotated[float, Field(gt=0, le=1)] = 70 / 320
    stage2_share: Annotated[float, Field(gt=0, le=1)] = 200 / 320
    compatibility: Literal["code", "paper"] = "code"

    def stages(self) -> tuple[int, int]:
        """The epochs at which stages 1 and 2 end."""
        n = self.run.n_epochs
        first = max(1, round(self.stage1_share * n))
        return first, max(first, min(round(self.stage2_share * n), max(1, n - 1)))

    def setup(self) -> None:
        """Label logits start at ten times the given label."""
        self.label_logits = 10 * one_hot(self.run.labels, self.run.n_classes)

    def train_epoch(self, epoch: int) -> float:
        """One pass of whichever stage it is."""
        first, second = self.stages()
        if epoch == 0:
            self.run.reschedule(second, constant=True)
        if epoch == second:
            self.run.reschedule(self.run.n_epochs - second)
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            logits = self.logits(batch.x)
            if epoch < first:
                losses = F.cross_entropy(logits, batch.y, reduction="none")
            else:
                labels = self.label_logits[batch.index]
                losses = self.losses(logits, labels, batch.y, second_stage=epoch < second)
            self.run.step(losses.mean())
            if first <= epoch < second:
                moved = self.moved(labels, logits.detach().softmax(1), batch.y)
                self.label_logits[batch.index] = moved
            total += losses.detach().sum()
        return float(total / self.run.n)

    def losses(
        self, logits: Tensor, labels: Tensor, given: Tensor, *, second_stage: bool
    ) -> Tensor:
        """Per-sample loss of stage 2, or of stage 3, which has the first term alone."""
        p = logits.softmax(1)
        distance = (p * (logits.log_softmax(1) - labels.log_softmax(1))).sum(1)
        if not second_stage:
            return distance / self.run.n_classes
        entropy = soft_cross_entropy(logits, p)
        rows = labels.softmax(1) if self.compatibility == "code" else labels
        compatible = F.cross_entropy(rows, given, reduction="none")
        return (distance + self.beta * entropy) / self.run.n_classes + self.alpha * compatible

    def moved(self, labels: Tensor, p: Tensor, given: Tensor) -> Tensor:
        """Label logits after the gradient steps of one visit, the network's output held."""
        hot = one_hot(given, self.run.n_classes)
        for _ in range(max(1, round(PAPER_EPOCHS / self.run.n_epochs))):
            d = labels.softmax(1)
            if self.compatibility == "code":
                slope = d.softmax(1) - hot
                pull = d * (slope - (d * slope).sum(1, keepdim=True))
            else:
                pull = d - hot
            gradient = (d - p) / self.run.n_classes + self.alpha * pull
            labels = labels - self.lam / PAPER_BATCH * gradient
        return labels

    def label_belief(self) -> Tensor:
        """The label distributions."""
        return self.label_logits.softmax(1)
