"""A plugin that takes every candidate for equally true: what disambiguation must match."""

from __future__ import annotations

from torch import Tensor

from bench.api import Batch, Method


class AverageLoss(Method):
    """Cross entropy to equal shares of the candidates."""

    name = "average-loss"
    paper = "none"
    learns_from = "candidates"

    def loss(self, batch: Batch) -> Tensor:
        """``-1/|S| Σ_{k in S} log p_k``."""
        sets = self.run.candidates[batch.index]
        return -(sets * self.logits(batch.x).log_softmax(1)).sum(1) / sets.sum(1)
