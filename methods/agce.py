"""Asymmetric generalised cross entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import Field, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="agce",
    paper="Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021, "
    "arXiv 2106.03110",
    family="loss",
)
def agce(
    logits: Tensor,
    targets: Tensor,
    a: Annotated[float, Field(gt=0)] = 0.6,
    q: Annotated[float, Field(gt=0)] = 0.6,
) -> Tensor:
    """Asymmetric generalised cross entropy: ((a + 1)^q - (a + p_y)^q) / q.

    The paper's AGCE (number of the equation not checked), between 0 and ``((a + 1)^q - a^q) / q``.
    A weighted sum of it over labels is least at the label of greatest weight, for any weights where
    q ≥ 1, and otherwise where that weight is at least ``(1 + 1/a)^(1 - q)`` times each other one.
    q = 1 is ``1 - p_y``; a → 0 with q ≤ 1 is ``gce``. Defaults a 0.6, q 0.6 for CIFAR-10 and
    CIFAR-100 (the authors' configuration file).

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.

    Deviation: the common optimiser and protocol, where the authors add a random rotation for
    CIFAR-100.
    """
    p = logits.log_softmax(1).gather(1, targets[:, None]).squeeze(1).exp()
    losses: Tensor = ((a + 1) ** q - (a + p) ** q) / q
    return losses
