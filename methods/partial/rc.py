"""The risk-consistent method."""

from __future__ import annotations

from bench.training.recipes.candidates import Confident, train_then_renew


class RiskConsistent(Confident):
    """RC: each candidate's loss weighted by how likely it is the true label.

    The importance weights p(k | x) / Σ_{j in S} p(j | x) of the risk-consistent estimator are
    approximated by the network: they start uniform, and after each step a second forward pass of
    the batch renews them, as in the authors' code. That timing is all that sets it apart from
    ``proden``. Told nothing, one network, one view, one forward and backward and one more forward
    pass a sample, ``n × C`` numbers of state. Deviation: the common optimiser and protocol.
    """

    name = "rc"
    paper = (
        "Feng et al., Provably Consistent Partial-Label Learning, NeurIPS 2020, arXiv 2007.08929"
    )
    cost = 1.3

    def train_epoch(self, epoch: int) -> float:
        """Weights move after each step, by the network that the step left."""
        return train_then_renew(self, epoch)
