"""Focal loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Field, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="focal",
    paper="Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002",
    family="loss",
)
def focal(logits: Tensor, targets: Tensor, gamma: Annotated[float, Field(ge=0)] = 0.5) -> Tensor:
    """Focal loss: -(1 - p_y)^γ log p_y, cross entropy with less weight on what is already fitted.

    Equation 4 of the paper, over a soft-max and without class weights. Default γ = 0.5 for CIFAR-10
    and CIFAR-100, the value of the label-noise comparisons (configuration files of
    Active-Passive-Losses and ALFs); the paper's own for detection is 2. γ = 0 is cross entropy.

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.
    Deviation: the common optimiser and protocol.

    Pitfalls: Active-Passive-Losses detaches p_y inside the weight, which makes it re-weighted cross
    entropy with another gradient; here the gradient goes through the weight, as in the paper. The
    naive form has a NaN gradient for γ < 1 once p_y rounds to 1; here it is 0.
    """
    log_p = logits.log_softmax(1).gather(1, targets[:, None]).squeeze(1)
    missing = (-log_p.expm1()).clamp(min=torch.finfo(log_p.dtype).tiny)
    return -(missing**gamma) * log_p
