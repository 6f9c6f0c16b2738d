"""Soft bootstrapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import Field, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="bootstrap-soft",
    paper="Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping, "
    "ICLR Workshop 2015, arXiv 1412.6596",
    family="loss",
)
def bootstrap_soft(
    logits: Tensor,
    targets: Tensor,
    beta: Annotated[float, Field(ge=0, le=1)] = 0.95,
    detach: bool = False,
) -> Tensor:
    """Soft bootstrapping: cross entropy against β one-hot(y) + (1 - β) p, p the prediction itself.

    The paper's soft loss (number of the equation not checked):
    ``-Σ_k (β [k = y] + (1 - β) p_k) log p_k``, which is β cross entropy plus (1 - β) times the
    entropy of p; β = 1 is cross entropy. Default β = 0.95, the paper's for all its data sets
    (recalled); it has no experiment on CIFAR, so that CIFAR-10 and CIFAR-100 share the value.

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.
    Deviation: the common optimiser and protocol.

    Pitfall: code bases differ in whether the gradient goes through p in the target. With
    ``detach: false``, the default, it does, and the entropy is minimised, which is how the paper
    reads its loss (recalled). With ``detach: true`` p is a fixed target, whose cross entropy with
    itself has no gradient: what is left is β times the gradient of plain cross entropy.
    """
    log_p = logits.log_softmax(1)
    p = log_p.exp()
    belief = p.detach() if detach else p
    log_p_y = log_p.gather(1, targets[:, None]).squeeze(1)
    return -beta * log_p_y - (1 - beta) * (belief * log_p).sum(1)
