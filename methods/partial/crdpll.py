"""Consistency regularisation for partial labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from torch.nn import functional as F

from bench.api import Field
from bench.training.recipes.candidates import Confident
from bench.training.recipes.phases import ramp, shortened

if TYPE_CHECKING:
    from torch import Tensor


class Crdpll(Confident):
    """CR-DPLL: other labels are pushed down, three views are drawn to one confidence.

    ``-Σ_{k not in S} log(1 - p_k)`` on the weak view, plus λ(t) times the sum over a weak and two
    strong views of KL(w || p_view). Confidences w are the geometric mean of the three predictions
    inside the candidates, renewed with each batch after its loss was taken; λ(t) rises from 0 over
    the first 100 of the authors' 200 epochs, here over ``ramp_share`` of the training. Told
    nothing, one network, three views, three forward and backward passes a sample, ``n × C``
    numbers of state.

    Deviations: the strong view is RandAugment with cutout where the authors use AutoAugment with
    cutout; the common optimiser and protocol.
    """

    name = "crdpll"
    paper = "Wu, Wang and Zhang, Revisiting Consistency Regularization for Deep PLL, ICML 2022"
    uses = frozenset({"strong_augmentation"})
    cost = 3.0
    lam: Annotated[float, Field(ge=0)] = 1.0
    ramp_epochs: Annotated[int, Field(ge=1)] = 100
    ramp_share: Annotated[float, Field(gt=0, le=1)] = 0.5

    def train_epoch(self, epoch: int) -> float:
        """Three views of every sample."""
        length = shortened(self.ramp_epochs, self.ramp_share, self.run.n_epochs)
        weight = self.lam * ramp(epoch, length)
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            views = [batch.x, *(self.run.view(batch.index, "strong") for _ in range(2))]
            logs = [self.logits(view).log_softmax(1) for view in views]
            sets, target = self.run.candidates[batch.index], self.confidence[batch.index]
            away = -(torch.log1p(-logs[0].exp().clamp_max(1 - 1e-7)) * (1 - sets)).sum(1)
            together = sum(F.kl_div(log, target, reduction="none").sum(1) for log in logs)
            losses = away + weight * together
            self.run.step(losses.mean())
            total += losses.detach().sum()
            mean = torch.stack([log.detach() for log in logs]).mean(0)
            self.renew(batch.index, mean)
        return float(total / self.run.n)

    def renewed(self, logits: Tensor, sets: Tensor) -> Tensor:
        """The geometric mean of the views (its logarithm is given) inside the candidates."""
        return logits.masked_fill(sets == 0, -torch.inf).softmax(1)
