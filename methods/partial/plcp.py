"""A partner that learns which labels are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from torch.nn import functional as F

from bench.api import Field
from bench.training.recipes.candidates import Confident, softmax_within, within
from bench.training.recipes.mixing import soft_cross_entropy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from bench.api import Network


class Plcp(Confident):
    """PLCP on PRODEN: a partner network learns for each label whether it is wrong.

    ``-Σ b_k log p_k - 1/C Σ (t_k log q_k + (1 - t_k) log(1 - q_k)) + γ Σ p_k q_k``, p being the
    soft-max of the base and q the sigmoids of the partner. Labels outside the candidates are wrong
    for certain, which is what the partner starts from. Base and partner keep confidences P and Q,
    which follow p and q with momentum 0.5 after the loss of a batch; P is 0 and Q is 1 outside the
    candidates. Each supervises the other through a blur, the soft-max of κ times a confidence
    inside the candidates: the partner's targets are ``t = 1 - blur(P)``, the base's
    ``b = blur(1 - Q)``. The collaborative term keeps both from claiming the same label. Momentum
    0.5, γ = 2 and κ = exp(-1) are those of the authors' code for PL-AGGD. No warm-up.

    Deviation, to be weighed: the code that the authors released is that closed-form version, whose
    steps are followed here with two networks of the protocol's backbone, cross entropy for the
    base and binary cross entropy for the partner; the losses of the deep version in the paper could
    not be checked. The base alone predicts. The common optimiser and protocol. Told nothing; two
    networks; one view; two forward and backward passes a sample; ``2 n × C`` numbers of state.
    """

    name = "plcp"
    paper = "Si et al., Partial Label Learning with a Partner, AAAI 2024, arXiv 2312.11034"
    n_networks = 2
    uses = frozenset({"two_networks"})
    predicts = "the base network"
    cost = 2.0
    kappa: Annotated[float, Field(gt=0)] = 0.36787944
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5
    collaborative: Annotated[float, Field(ge=0)] = 2.0

    def setup(self) -> None:
        """Uniform confidences; every label outside the candidates is wrong."""
        super().setup()
        self.wrong = 1 - self.run.candidates

    def predictors(self) -> Sequence[Network]:
        """The base."""
        return self.networks[:1]

    def train_epoch(self, epoch: int) -> float:
        """Both networks on one view of every sample."""
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            rows, sets = batch.index, self.run.candidates[batch.index]
            base, partner = (network(batch.x) for network in self.networks)
            p, q = base.softmax(1), partner.sigmoid()
            for_base = self.blurred(1 - self.wrong[rows], sets)
            for_partner = 1 - self.blurred(self.confidence[rows], sets)
            binary = F.binary_cross_entropy_with_logits(partner, for_partner, reduction="none")
            both = self.collaborative * (p * q).sum(1)
            losses = soft_cross_entropy(base, for_base) + binary.mean(1) + both
            self.run.step(losses.mean())
            total += losses.detach().sum()
            self.follow(rows, p.detach(), q.detach(), sets)
        return float(total / self.run.n)

    def follow(self, rows: Tensor, p: Tensor, q: Tensor, sets: Tensor) -> None:
        """Both confidences move toward the outputs ``(b, C)``."""
        kept = self.momentum
        self.confidence[rows] = within(kept * self.confidence[rows] + (1 - kept) * p, sets)
        moved = kept * self.wrong[rows] + (1 - kept) * q
        self.wrong[rows] = torch.where(sets > 0, moved, torch.ones_like(moved))

    def blurred(self, shares: Tensor, sets: Tensor) -> Tensor:
        """Soft-max of κ times the shares ``(b, C)``, inside the candidates."""
        return softmax_within(self.kappa * shares, sets)
