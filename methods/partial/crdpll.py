"""Consistency regularisation for partial labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from torch.nn import functional as F

from bench.api import Field
from bench.training.recipes.candidates import Confident, log_not
from bench.training.recipes.phases import ramp, shortened

if TYPE_CHECKING:
    from torch import Tensor


class Crdpll(Confident):
    """CR-DPLL: other labels are pushed down, three views are drawn to one confidence.

    ``-Σ_{k not in S} log(1 - p_k)`` on the weak view, plus λ(t) times the sum over a weak and two
    strong views of KL(w || p_view). Confidences w are the geometric mean of the three predictions
    inside the candidates, ``w_k ∝ Π_v p_k(v)^{1/3}``, renewed with each batch after its loss was
    taken; they start uniform. λ(t) rises linearly from 0 to λ = 1 over the first 100 of the
    authors' 200 epochs (their code), here over at most ``ramp_share`` of the training. Told
    nothing, one network, three views, three forward and backward passes a sample, ``n × C``
    numbers of state.

    The first term is computed from logits; the authors' code adds 1e-7 to ``1 - p_k``, and the
    gradient is gone where a wrong label's probability rounds to 1.

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
            logits = [self.logits(view) for view in views]
            sets, target = self.run.candidates[batch.index], self.confidence[batch.index]
            losses = self.objective(logits, sets, target, weight)
            self.run.step(losses.mean())
            total += losses.detach().sum()
            # The soft-max of mean logits is the geometric mean of soft-maxes, up to its scale.
            self.renew(batch.index, torch.stack(logits).detach().mean(0))
        return float(total / self.run.n)

    @staticmethod
    def objective(logits: list[Tensor], sets: Tensor, target: Tensor, weight: float) -> Tensor:
        """Per-sample loss ``(b,)`` of the views' logits, the weak view's first."""
        away = -(log_not(logits[0]) * (1 - sets)).sum(1)
        apart = [F.kl_div(z.log_softmax(1), target, reduction="none").sum(1) for z in logits]
        return away + weight * torch.stack(apart).sum(0)
