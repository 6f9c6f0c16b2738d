"""Symmetric cross entropy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from bench.api import Field, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="sce",
    paper="Wang et al., Symmetric Cross Entropy, ICCV 2019, arXiv 1908.06112",
    family="loss",
    paper_params={"cifar100": {"alpha": 6.0, "beta": 0.1}},
)
def sce(
    logits: Tensor,
    targets: Tensor,
    alpha: Annotated[float, Field(ge=0)] = 0.1,
    beta: Annotated[float, Field(ge=0)] = 1.0,
    log_zero: Annotated[float, Field(lt=0)] = math.log(1e-4),
) -> Tensor:
    """Symmetric cross entropy: α CE + β RCE, where RCE swaps label and prediction.

    The paper's symmetric loss (numbers of the equations not checked): ``α CE + β RCE`` with
    ``RCE = -Σ_k p_k log [k = y]`` and ``log 0`` set to a constant ``A < 0`` (``log_zero``), which
    is ``-A (1 - p_y)``. Defaults for CIFAR-10 are α 0.1, β 1, for CIFAR-100 α 6, β 0.1 (the paper
    and the configuration files of Active-Passive-Losses).

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.

    Deviation: released code clamps the one-hot label at 1e-4, so that ``A = ln 1e-4 = -9.21``, and
    published figures come from it; that is the default. The paper's text has ``A = -4`` (recalled,
    not checked): set ``log_zero: -4`` for it.
    """
    log_p = logits.log_softmax(1).gather(1, targets[:, None]).squeeze(1)
    return -alpha * log_p + beta * log_zero * log_p.expm1()
