"""The risk-consistent method."""

from __future__ import annotations

from bench.training.recipes.candidates import Confident, train_then_renew


class RiskConsistent(Confident):
    """RC: each candidate's loss weighted by how likely it is the true label.

    ``-Σ_{k in S} w_k log p_k`` with the importance weights ``w_k = p(k | x) / Σ_{j in S} p(j | x)``
    of the risk-consistent estimator, which the network approximates: they start uniform, and after
    each step a second forward pass of the batch, in training mode, renews them, as in the authors'
    code. That timing is all that sets it apart from ``proden``. The estimator's constant 1/2 is
    left out, as it is there. No parameter and no warm-up. Told nothing, one network, one view, one
    forward and backward and one more forward pass a sample, ``n × C`` numbers of state. Deviation:
    the common optimiser and protocol.
    """

    name = "rc"
    paper = (
        "Feng et al., Provably Consistent Partial-Label Learning, NeurIPS 2020, arXiv 2007.08929"
    )
    cost = 1.3

    def train_epoch(self, epoch: int) -> float:
        """Weights move after each step, by the network that the step left."""
        return train_then_renew(self, epoch)
