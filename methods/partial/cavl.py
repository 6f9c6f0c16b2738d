"""Class activation value learning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from bench.training.recipes.candidates import Confident, train_then_renew

if TYPE_CHECKING:
    from torch import Tensor


class Cavl(Confident):
    """CAVL: cross entropy to the candidate with the largest class activation value ``|z - 1| z``.

    ``-Σ_{k in S} w_k log p_k``: w is uniform over the candidates until a sample was seen; then,
    after each step, a second forward pass, in training mode, puts all of it on
    ``argmax_{k in S} |z_k - 1| z_k`` of the logits z, as in the authors' code. There a label
    outside the set has value 0 and wins when all candidates are negative; here it never can. No
    parameter and no warm-up. Told nothing, one network, one view, one forward and backward and one
    more forward pass a sample, ``n × C`` numbers of state. Deviation: the common optimiser and
    protocol.
    """

    name = "cavl"
    paper = "Zhang et al., Exploiting Class Activation Value for Partial-Label Learning, ICLR 2022"
    cost = 1.3

    def train_epoch(self, epoch: int) -> float:
        """The choice is made after each step, by the network that the step left."""
        return train_then_renew(self, epoch)

    def renewed(self, logits: Tensor, sets: Tensor) -> Tensor:
        """One-hot at the candidate of largest activation value."""
        value = ((logits - 1).abs() * logits).masked_fill(sets == 0, -torch.inf)
        return F.one_hot(value.argmax(1), sets.shape[1]).to(sets.dtype)
