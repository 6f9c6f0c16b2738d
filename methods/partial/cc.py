"""The classifier-consistent method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.api import Batch, Method
from bench.training.recipes.candidates import log_inside, softmax_within

if TYPE_CHECKING:
    from torch import Tensor


class ClassifierConsistent(Method):
    """CC: minus the log of the probability that the network puts on the candidates together.

    ``-log Σ_{k in S} p_k``. Under uniformly drawn candidate sets the minimiser is the true
    posterior; a single candidate gives cross entropy, a set of all labels 0. Computed as a
    difference of two log-sum-exps, where the authors' code takes the log of a sum of probabilities
    that may underflow. No parameter and no warm-up. Told nothing, one network, one view, one
    forward and backward pass a sample, no state. Deviation: the common optimiser and protocol.
    """

    name = "cc"
    paper = (
        "Feng et al., Provably Consistent Partial-Label Learning, NeurIPS 2020, arXiv 2007.08929"
    )
    family = "partial-label"
    learns_from = "candidates"

    def loss(self, batch: Batch) -> Tensor:
        """``-log Σ_{k in S} p_k``."""
        return -log_inside(self.logits(batch.x), self.run.candidates[batch.index])

    def label_belief(self) -> Tensor:
        """Predictions restricted to the candidates."""
        return softmax_within(self.run.map(self.logits), self.run.candidates)
