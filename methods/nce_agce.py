"""Normalised cross entropy with asymmetric generalised cross entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import Field, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="nce-agce",
    paper="Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021, "
    "arXiv 2106.03110",
    family="loss",
    paper_params={"cifar100": {"alpha": 10.0, "beta": 0.1, "a": 1.8, "q": 3.0}},
)
def nce_agce(
    logits: Tensor,
    targets: Tensor,
    alpha: Annotated[float, Field(ge=0)] = 1.0,
    beta: Annotated[float, Field(ge=0)] = 4.0,
    a: Annotated[float, Field(gt=0)] = 6.0,
    q: Annotated[float, Field(gt=0)] = 1.5,
) -> Tensor:
    """Active-passive loss NCE+AGCE: α log p_y / Σ_k log p_k + β ((a + 1)^q - (a + p_y)^q) / q.

    Normalised cross entropy (Ma et al., ICML 2020, arXiv 2006.13554) as the active part and the
    paper's AGCE in the passive place (numbers of the equations not checked); between 0 and
    ``α + β ((a + 1)^q - a^q) / q``. Defaults for CIFAR-10 are α 1, β 4, a 6, q 1.5, for CIFAR-100
    α 10, β 0.1, a 1.8, q 3 (the authors' configuration file).

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.

    Deviation: the common optimiser and protocol, where the authors add a random rotation for
    CIFAR-100 and clip the norm of the gradient at 5.
    """
    log_p = logits.log_softmax(1)
    log_p_y = log_p.gather(1, targets[:, None]).squeeze(1)
    asymmetric: Tensor = ((a + 1) ** q - (a + log_p_y.exp()) ** q) / q
    return alpha * log_p_y / log_p.sum(1) + beta * asymmetric
