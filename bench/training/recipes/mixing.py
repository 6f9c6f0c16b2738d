"""Mixup, sharpening, and cross entropy to soft targets."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def one_hot(labels: Tensor, n_classes: int) -> Tensor:
    """Labels ``(b,)`` as float32 rows ``(b, C)``."""
    return F.one_hot(labels, n_classes).float()


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Per-sample cross entropy ``(b,)`` of logits ``(b, C)`` to rows of shares ``(b, C)``."""
    return -(targets * logits.log_softmax(1)).sum(1)


def sharpen(p: Tensor, temperature: float) -> Tensor:
    """``p^(1/T)``, rows renormalised (Berthelot et al., MixMatch, equation 7)."""
    powered = p.clamp_min(1e-12).pow(1 / temperature)
    return powered / powered.sum(1, keepdim=True)


def beta(alpha: float, draws: torch.Generator) -> float:
    """One draw of Beta(α, α)."""
    seed = int(torch.randint(2**62, (), generator=draws))
    return float(np.random.default_rng(seed).beta(alpha, alpha))


def mixup(
    x: Tensor, targets: Tensor, alpha: float, draws: torch.Generator, *, keep_first: bool = False
) -> tuple[Tensor, Tensor]:
    """Convex combinations of a batch with a permutation of itself (Zhang et al., 1710.09412).

    Args:
        x: inputs ``(b, …)``.
        targets: shares ``(b, C)``.
        alpha: λ ~ Beta(α, α), one draw a batch.
        draws: generator on the CPU.
        keep_first: λ ← max(λ, 1 - λ), so that row i stays closest to sample i (MixMatch).
    """
    share = beta(alpha, draws)
    share = max(share, 1 - share) if keep_first else share
    other = torch.randperm(len(x), generator=draws).to(x.device)
    return share * x + (1 - share) * x[other], share * targets + (1 - share) * targets[other]
