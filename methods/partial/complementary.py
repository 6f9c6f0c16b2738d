"""Learning from the labels that are not candidates: multiple complementary labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bench.api import Batch, Method
from bench.training.recipes.candidates import softmax_within

if TYPE_CHECKING:
    from torch import Tensor

PAPER = "Feng et al., Learning with Multiple Complementary Labels, ICML 2020, arXiv 1912.12927"


class _Complementary(Method):
    family = "partial-label"
    learns_from = "candidates"

    def label_belief(self) -> Tensor:
        """Predictions restricted to the candidates."""
        return softmax_within(self.run.map(self.logits), self.run.candidates)


class MeanSquared(_Complementary):
    """MSE: the unbiased estimator of the mean squared error from complementary labels.

    ``Σ_{k in S} L_k - (s - 1)/(C - s) Σ_{k not in S} L_k`` with ``L_k = ||p - e_k||²`` and s
    candidates (the paper's unbiased risk estimator with one of its bounded losses): its mean over
    all sets of a size that hold the true label is that label's L. A sample all of whose labels are
    candidates says nothing and has loss 0. No parameter and no warm-up. Told nothing, one network,
    one view, one forward and backward pass a sample, no state. Deviation: the common optimiser and
    protocol. A later benchmark's code multiplies C - s by the second sum, so that it divides by
    both; not here.
    """

    name = "mse"
    paper = PAPER

    def loss(self, batch: Batch) -> Tensor:
        """The estimator; it may be negative."""
        p = self.logits(batch.x).softmax(1)
        inside = self.run.candidates[batch.index]
        size = inside.sum(1)
        rest = (p.shape[1] - size).clamp_min(1)
        squared = p.square().sum(1, keepdim=True) - 2 * p + 1
        estimate = (squared * inside).sum(1) - (size - 1) / rest * (squared * (1 - inside)).sum(1)
        return torch.where(size < p.shape[1], estimate, torch.zeros_like(estimate))


class Exponential(_Complementary):
    """EXP: an upper-bound surrogate that falls exponentially with the mass on the candidates.

    ``(C - 1)/(C - s) exp(-Σ_{k in S} p_k)`` with s candidates. A sample all of whose labels are
    candidates has loss 0. No parameter and no warm-up. Told nothing, one network, one view, one
    forward and backward pass a sample, no state. Deviation: the common optimiser and protocol.
    """

    name = "exp"
    paper = PAPER

    def loss(self, batch: Batch) -> Tensor:
        """The surrogate."""
        p = self.logits(batch.x).softmax(1)
        inside = self.run.candidates[batch.index]
        rest = p.shape[1] - inside.sum(1)
        loss = (p.shape[1] - 1) / rest.clamp_min(1) * (-(p * inside).sum(1)).exp()
        return torch.where(rest > 0, loss, torch.zeros_like(loss))
