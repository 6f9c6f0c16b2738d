"""Votes of the nearest neighbours in feature space."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK = 2048
"""Rows whose similarities to all samples are held at once."""


def balanced_votes(features: Tensor, labels: Tensor, k: int, n_classes: int) -> Tensor:
    """Shares of votes ``(n, C)`` of each sample's ``k`` nearest neighbours, itself included.

    Nearness is the cosine of features ``(n, q)``; a class's votes are divided by its share of the
    labels ``(n,)``, and rows sum to 1 (SSR, section 3.2).
    """
    z = F.normalize(features, dim=1)
    hot = F.one_hot(labels, n_classes).float()
    share = hot.mean(0).clamp_min(1e-12)
    votes = [
        hot[(part @ z.T).topk(k, dim=1).indices].mean(1) / share for part in torch.split(z, CHUNK)
    ]
    found = torch.cat(votes)
    return found / found.sum(1, keepdim=True)
