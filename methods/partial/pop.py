"""Progressive purification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Field
from bench.training.recipes.candidates import Confident, within
from bench.training.recipes.phases import shortened

if TYPE_CHECKING:
    from torch import Tensor

INITIAL, LARGEST = 1e-3, 0.4


class Pop(Confident):
    """POP: progressive identification that also strikes out candidates it has come to doubt.

    ``-Σ w_k log p_k`` with confidences as in ``proden``. After a warm-up of 20 epochs, every 5
    epochs, candidate k of a sample leaves its set when ``w̄_k < θ max_j w̄_j``, w̄ being the mean
    of its confidences over the last 5 epochs; what stays of w̄, renormalised, is the new
    confidence. θ starts at 0.001 and grows by the factor 1.001 whenever fewer than one in 10,000
    of all entries left, while below 0.4. All these numbers are the authors' code's. Told
    nothing, one network, one view, one forward and backward pass a sample; ``7 n × C`` numbers of
    state: confidences, window and what is left of the sets, whose given form is kept.

    Deviations: one weak view, where the authors' code averages the loss of a weak and two strong
    ones; the warm-up is at most ``phase_share`` of a short run, and the window as short as a tenth
    of it; the common optimiser and protocol.
    """

    name = "pop"
    paper = "Xu et al., Progressive Purification for Partial Label Learning, ICML 2023, 2206.00830"
    warmup_epochs: Annotated[int, Field(ge=0)] = 20
    window: Annotated[int, Field(ge=1)] = 5
    phase_share: Annotated[float, Field(gt=0, le=1)] = 0.2

    def setup(self) -> None:
        """All candidates are still in, and there is no history."""
        super().setup()
        self.sets = self.run.candidates.clone()
        self.span = shortened(self.window, 0.1, self.run.n_epochs)
        self.history = self.confidence.repeat(self.span, 1, 1)
        self.theta = torch.tensor(INITIAL)

    def renew(self, index: Tensor, logits: Tensor) -> None:
        """By the soft-max inside what is left of the sets."""
        with torch.no_grad():
            self.confidence[index] = self.renewed(logits.detach(), self.sets[index])

    def on_epoch_end(self, epoch: int) -> None:
        """Remember the confidences, and purify when it is time."""
        self.history[epoch % self.span] = self.confidence
        warmup = shortened(self.warmup_epochs, self.phase_share, self.run.n_epochs)
        if epoch >= warmup and epoch % self.span == 0:
            self.purify()

    def purify(self) -> None:
        """Strike out the candidates below the threshold; the means of the others remain."""
        mean = self.history.mean(0) * self.sets
        relative = mean / mean.max(1, keepdim=True).values.clamp_min(1e-30)
        leaving = (self.sets > 0) & (relative < self.theta.to(relative.device))
        self.sets = self.sets * (~leaving)
        if int(leaving.sum()) < 1e-4 * self.sets.numel() and float(self.theta) < LARGEST:
            self.theta = self.theta * (1 + INITIAL)
        self.confidence = within(mean, self.sets)
