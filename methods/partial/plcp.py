"""A partner that learns which labels are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from torch.nn import functional as F

from bench.api import Field
from bench.training.recipes.candidates import Confident, within
from bench.training.recipes.mixing import soft_cross_entropy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from bench.api import Network


class Plcp(Confident):
    """PLCP on PRODEN: a partner network learns for each label whether it is wrong.

    Labels outside the candidates are wrong for certain, which is what the partner starts from.
    Base and partner supervise each other: the partner's targets are ``1 - blur(w)`` with the base's
    confidences w, and 1 outside the candidates; the base's confidences are its predictions times
    the partner's probability that a label is not wrong, blurred, inside the candidates. Blurring is
    a soft-max of κ times the probabilities, restricted to the candidates, against overconfidence.
    A collaborative term, the mean of (p + q - 1)² over the candidates, ties the two.

    Deviation, to be weighed: the authors' closed-form version and the mechanism of the deep one
    (partner, mutual supervision, blurring, collaborative term) are followed, but the exact losses
    of the deep one could not be checked against the paper; κ, the weight of the collaborative term
    and the use of a second network of the same backbone are chosen here. The common optimiser and
    protocol. Told nothing; two networks, the base predicts; one view; two forward and backward
    passes a sample; ``n × C`` numbers of state.
    """

    name = "plcp"
    paper = "Si et al., Partial Label Learning with a Partner, AAAI 2024, arXiv 2312.11034"
    n_networks = 2
    uses = frozenset({"two_networks"})
    predicts = "the base network"
    cost = 2.0
    kappa: Annotated[float, Field(gt=0)] = 5.0
    collaborative: Annotated[float, Field(ge=0)] = 1.0

    def predictors(self) -> Sequence[Network]:
        """The base."""
        return self.networks[:1]

    def train_epoch(self, epoch: int) -> float:
        """Both networks on one view of every sample."""
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            sets, target = self.run.candidates[batch.index], self.confidence[batch.index]
            base, partner = (network(batch.x) for network in self.networks)
            p, q = base.softmax(1), partner.sigmoid()
            wrong = 1 - self.blurred(target, sets) * sets
            binary = F.binary_cross_entropy_with_logits(partner, wrong, reduction="none").mean(1)
            tie = ((p + q - 1).square() * sets).sum(1) / sets.sum(1)
            losses = soft_cross_entropy(base, target) + binary + self.collaborative * tie
            self.run.step(losses.mean())
            total += losses.detach().sum()
            supported = (p * (1 - q)).detach()
            self.confidence[batch.index] = self.blurred(within(supported, sets), sets)
        return float(total / self.run.n)

    def blurred(self, shares: Tensor, sets: Tensor) -> Tensor:
        """Soft-max of κ times the shares ``(b, C)``, inside the candidates."""
        return (self.kappa * shares).masked_fill(sets == 0, -torch.inf).softmax(1)
