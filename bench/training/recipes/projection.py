"""Projections of features for contrastive learning, and the supervised contrast of many views."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Projector(nn.Module):
    """Features ``(b, q)`` to unit vectors ``(b, d)``: two layers, the form that MoCo v2 has."""

    def __init__(self, q: int, d: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(q, q), nn.ReLU(inplace=True), nn.Linear(q, d))

    def forward(self, features: Tensor) -> Tensor:
        """Projected and scaled to length 1."""
        projected: Tensor = F.normalize(self.layers(features), dim=1)
        return projected


def log_shares(anchors: Tensor, others: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Log of each other's share in an anchor's soft-max over all others.

    Args:
        anchors: unit vectors ``(a, d)``.
        others: unit vectors ``(m, d)``, of which the first ``a`` are the anchors themselves.
        temperature: that similarities are divided by.

    Returns:
        The log shares ``(a, m)``, 0 for an anchor with itself, and 1 wherever it is not itself.
    """
    similarity = anchors @ others.T / temperature
    itself = torch.zeros_like(similarity)
    itself.fill_diagonal_(1)
    shares = similarity - similarity.masked_fill(itself > 0, -torch.inf).logsumexp(1, keepdim=True)
    return shares * (1 - itself), 1 - itself
