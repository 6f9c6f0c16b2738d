"""The classifier-consistent method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.api import Batch, Method
from bench.training.recipes.candidates import log_inside, within

if TYPE_CHECKING:
    from torch import Tensor


class ClassifierConsistent(Method):
    """CC: minus the log of the probability that the network puts on the candidates together.

    Under uniformly drawn candidate sets the minimiser is the true posterior. Computed as a
    difference of two log-sum-exps, where the authors take the log of a sum of probabilities. Told
    nothing, one network, one view, one forward and backward pass a sample, no state. Deviation:
    the common optimiser and protocol.
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
        return within(self.run.map(self.logits).softmax(1), self.run.candidates)
