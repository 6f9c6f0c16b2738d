"""Label smoothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch.nn.functional as F

from bench.api import Field, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(
    name="label-smoothing",
    paper="Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, arXiv 1512.00567",
    family="loss",
)
def label_smoothing(
    logits: Tensor, targets: Tensor, eps: Annotated[float, Field(ge=0, le=1)] = 0.1
) -> Tensor:
    """Label smoothing: cross entropy against (1 - ε) one-hot(y) + ε/K.

    Section 7 of the paper: ``-Σ_k ((1 - ε) [k = y] + ε/K) log p_k``. The ε mass is shared by all K
    classes, the given one included, so that its target is ``1 - ε + ε/K``; ε = 0 is cross entropy.
    Default ε = 0.1, the paper's value for ImageNet, for CIFAR-10 and CIFAR-100 alike (Lukasik et
    al., ICML 2020, arXiv 2003.02819, is the study under label noise).

    Told nothing; one network, one view, no warm-up; one forward and backward pass a sample.
    Deviation: the common optimiser and protocol.

    Pitfalls: GJS's code measures KL divergence instead, which is this loss minus the entropy of the
    target: another value, the same gradient. Negative smoothing (ε < 0 after a warm-up, Wei et al.,
    ICML 2022) is another method and is refused.
    """
    return F.cross_entropy(logits, targets, reduction="none", label_smoothing=eps)
