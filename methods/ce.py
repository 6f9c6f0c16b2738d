"""Cross entropy, the baseline of every table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F

from bench.api import loss

if TYPE_CHECKING:
    from torch import Tensor


@loss(name="ce", paper="the field's baseline", family="loss")
def ce(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy on the labels as given: -log p_y.

    No parameters, for CIFAR-10 and CIFAR-100 alike. Told nothing; one network, one view, no
    warm-up; one forward and backward pass a sample. Deviation: the common optimiser and protocol,
    as for all methods here.
    """
    return F.cross_entropy(logits, targets, reduction="none")
