"""Hard bootstrapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import Field, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="bootstrap-hard",
    paper="Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping, "
    "ICLR Workshop 2015, arXiv 1412.6596",
    family="loss",
)
def bootstrap_hard(
    logits: Tensor, targets: Tensor, beta: Annotated[float, Field(ge=0, le=1)] = 0.8
) -> Tensor:
    """Hard bootstrapping: cross entropy against β one-hot(y) + (1 - β) one-hot(argmax p).

    The paper's hard loss (number of the equation not checked):
    ``-Σ_k (β [k = y] + (1 - β) [k = argmax p]) log p_k = -β log p_y - (1 - β) log max_k p_k``;
    β = 1 is cross entropy. Default β = 0.8, the paper's for all its data sets (recalled); it has no
    experiment on CIFAR, so that CIFAR-10 and CIFAR-100 share the value.

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.
    Deviation: the common optimiser and protocol.

    The argmax has no gradient, so that nothing needs detaching. Where several classes tie for the
    greatest p, one of them is taken.
    """
    log_p = logits.log_softmax(1)
    log_p_y = log_p.gather(1, targets[:, None]).squeeze(1)
    return -beta * log_p_y - (1 - beta) * log_p.max(1).values
