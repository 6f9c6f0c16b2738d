"""Generalised cross entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import Field, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="gce",
    paper="Zhang & Sabuncu, Generalized Cross Entropy Loss, NeurIPS 2018, arXiv 1805.07836",
    family="loss",
)
def gce(logits: Tensor, targets: Tensor, q: Annotated[float, Field(gt=0, le=1)] = 0.7) -> Tensor:
    """Generalised cross entropy L_q: (1 - p_y^q) / q, between CE (q → 0) and MAE (q = 1).

    Equation 6 of the paper, untruncated; q = 0.7 is its value for all data sets, CIFAR-10 and
    CIFAR-100 among them. Told nothing; one network, one view, no warm-up; one forward and backward
    pass a sample.

    Deviations: the common optimiser and protocol; the paper's truncated variant, which drops
    samples with p_y below 1/2, is another method.
    """
    log_p = logits.log_softmax(1).gather(1, targets[:, None]).squeeze(1)
    return -(q * log_p).expm1() / q
