"""Normalised cross entropy with reverse cross entropy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from bench.api import Field, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="nce-rce",
    paper="Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020, "
    "arXiv 2006.13554",
    family="loss",
    paper_params={"cifar100": {"alpha": 10.0, "beta": 0.1}},
)
def nce_rce(
    logits: Tensor,
    targets: Tensor,
    alpha: Annotated[float, Field(ge=0)] = 1.0,
    beta: Annotated[float, Field(ge=0)] = 1.0,
    log_zero: Annotated[float, Field(lt=0)] = math.log(1e-4),
) -> Tensor:
    """Active-passive loss NCE+RCE: α log p_y / Σ_k log p_k + β RCE, both parts symmetric.

    The paper's active-passive loss (numbers of the equations not checked). The active part is cross
    entropy over its sum for all labels, between 0 and 1; the passive part is
    ``RCE = -Σ_k p_k log [k = y] = -A (1 - p_y)`` with ``log 0`` set to ``A = ln 1e-4``
    (``log_zero``), as the authors' code clamps. Summed over all labels the loss is the constant
    ``α - β A (K - 1)``. Defaults for CIFAR-10 are α 1, β 1, for CIFAR-100 α 10, β 0.1 (the authors'
    configuration files; ALFs ran CIFAR-100 with α 10, β 1).

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.

    Deviation: the common optimiser and protocol, where the authors clip the norm of the gradient at
    5.

    Pitfall absent here: the authors' NormalizedReverseCrossEntropy multiplies by ``(K - 1) / 4``
    where ``1 / (4 (K - 1))`` was meant (precedence); NCE+RCE takes RCE without normalisation.
    """
    log_p = logits.log_softmax(1)
    log_p_y = log_p.gather(1, targets[:, None]).squeeze(1)
    return alpha * log_p_y / log_p.sum(1) + beta * log_zero * log_p_y.expm1()
