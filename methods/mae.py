"""Mean absolute error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.api import loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="mae",
    paper="Ghosh et al., Robust Loss Functions under Label Noise, AAAI 2017, arXiv 1712.09482",
    family="loss",
)
def mae(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error: the L1 distance of p and the one-hot label, 2 - 2 p_y.

    The paper's ``‖e_y - p‖₁ = 2 - 2 p_y`` (number of the equation not checked), between 0 and 2. It
    is symmetric: its sum over all K labels is ``2 (K - 1)`` whatever p is, which makes it tolerant
    to symmetric noise, and hard to fit where classes are many. No parameters, for CIFAR-10 and
    CIFAR-100 alike.

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.
    Deviation: the common optimiser and protocol.

    Pitfalls: the scale differs between code bases (Active-Passive-Losses has ``1 - p_y``, ALFs
    ``2 - 2 p_y``), so that learning rates do not carry over; here it is the paper's factor 2,
    twice ``gce`` with q = 1 and twice ``taylor-ce`` with t = 1.
    """
    log_p = logits.log_softmax(1).gather(1, targets[:, None]).squeeze(1)
    return -2 * log_p.expm1()
