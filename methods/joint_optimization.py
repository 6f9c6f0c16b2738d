"""Joint optimisation of network and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Field, Method
from bench.training.recipes.matching import prior_penalty
from bench.training.recipes.mixing import one_hot, soft_cross_entropy

if TYPE_CHECKING:
    from torch import Tensor


class JointOptimization(Method):
    """Joint optimisation: labels become past predictions, then a new network learns them.

    Phase 1, at a constant learning rate: ``KL(s ‖ p) + α Σ_k π_k log(π_k / p̄_k) + β H(p)`` (the
    paper's classification loss and its two regularisers; π uniform, p̄ the mean over the batch;
    KL is computed up to the entropy of s, which is constant). Labels s start as given; from some
    epoch on, each is after every epoch the mean of its predictions in the last ten epochs, as they
    came up in training. Phase 2: fresh weights, the protocol's schedule, ``KL(s ‖ p)`` alone, s
    fixed.

    Defaults α = 1.2, β = 0.8 (the paper, CIFAR-10 with symmetric noise; 0.8 and 0.4 for asymmetric,
    which the method is not told; it has no CIFAR-100). Phases are shares of the paper's 200 + 120
    epochs: phase 1 0.625, labels move from 70/320, ten epochs are 1/32 of the run. Told nothing;
    one network, one view; one forward and backward pass a sample; ``n × C`` numbers for each epoch
    that is averaged.

    Deviations: the common optimiser and protocol: its first learning rate is the constant one of
    phase 1 (the authors choose it by noise: 0.03 to 0.1, and 0.2 for phase 2), and where that is
    too low the labels given are learned before they move. A run of one epoch has no phase 2.
    """

    name = "joint-optimization"
    paper = (
        "Tanaka et al., Joint Optimization Framework for Learning with Noisy Labels, CVPR 2018, "
        "arXiv 1803.11364"
    )
    family = "correction"

    alpha: Annotated[float, Field(ge=0)] = 1.2
    beta: Annotated[float, Field(ge=0)] = 0.8
    phase1_share: Annotated[float, Field(gt=0, le=1)] = 200 / 320
    update_share: Annotated[float, Field(gt=0, le=1)] = 70 / 320
    window_share: Annotated[float, Field(gt=0, le=1)] = 10 / 320

    def epochs_of(self) -> tuple[int, int, int]:
        """Epochs of phase 1, of those before labels move, and of those averaged."""
        n = self.run.n_epochs
        first = min(max(1, round(self.phase1_share * n)), max(1, n - 1))
        window = min(max(1, round(self.window_share * n)), first)
        return first, min(max(window, round(self.update_share * n)), first), window

    def setup(self) -> None:
        """Labels as given, and room for the predictions to be averaged."""
        self.soft = one_hot(self.run.labels, self.run.n_classes)
        self.history = torch.zeros(self.epochs_of()[2], *self.soft.shape, device=self.run.device)

    def train_epoch(self, epoch: int) -> float:
        """One pass of whichever phase it is."""
        first, start, window = self.epochs_of()
        refining = epoch < first
        if epoch == 0:
            self.run.reschedule(first, constant=True)
        if epoch == first:
            self.run.reinitialise("joint-optimization", "phase 2")
            self.run.reschedule(self.run.n_epochs - first)
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            logits = self.logits(batch.x)
            loss = soft_cross_entropy(logits, self.soft[batch.index]).mean()
            if refining:
                p = logits.softmax(1)
                self.history[epoch % window, batch.index] = p.detach()
                entropy = soft_cross_entropy(logits, p).mean()
                loss = loss + self.alpha * prior_penalty(logits) + self.beta * entropy
            self.run.step(loss)
            total += loss.detach() * len(batch.y)
        if refining and epoch + 1 >= start:
            self.soft = self.history.mean(0)
        return float(total / self.run.n)

    def label_belief(self) -> Tensor:
        """The labels as they now are."""
        return self.soft
