"""Forward correction with the true transition matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F

from bench.api import Batch, Method

if TYPE_CHECKING:
    from torch import Tensor


class Forward(Method):
    """Forward loss correction: -log (pᵀT)_y with the given T[i, j] = P(given j | true i).

    Equation 5 and theorem 2 of the paper, in the variant that is told T (the paper's "T" rows; its
    estimated T̂ is another method). One network, one view, one forward and backward pass a sample.
    """

    name = "forward"
    paper = "Patrini et al., Making DNNs Robust to Label Noise, CVPR 2017, arXiv 1609.03683"
    family = "transition"
    knows = frozenset({"transition_matrix"})

    def loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood of the given label under the corrupted prediction."""
        corrupted = self.logits(batch.x).softmax(1) @ self.run.known.transition_matrix
        return F.nll_loss(corrupted.clamp_min(1e-12).log(), batch.y, reduction="none")
