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

    Told nothing, one network, one view, one forward and backward pass a sample.
    """
    return F.cross_entropy(logits, targets, reduction="none")
