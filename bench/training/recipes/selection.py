"""Which samples of a batch two networks learn from: small losses, and disagreement."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def keep_rate(epoch: int, rate: float, ramp: float, exponent: float = 1.0) -> float:
    """``R(t) = 1 - min(τ t^c / T_k, τ)`` of Co-teaching (Han et al. 2018), with t from 1.

    Args:
        epoch: from 0, so ``t = epoch + 1``.
        rate: τ, the share to drop in the end.
        ramp: T_k, in epochs.
        exponent: c.
    """
    return 1 - min(rate * math.pow(epoch + 1, exponent) / ramp, rate)


def smallest(losses: Tensor, share: float) -> Tensor:
    """Positions of the smallest losses: ``share`` of them rounded down, but at least one."""
    return losses.detach().argsort(stable=True)[: max(1, int(share * len(losses)))]


def exchanged(losses: Sequence[Tensor], share: float) -> tuple[Tensor, Tensor]:
    """Positions that each network learns from: the other one's smallest losses."""
    return smallest(losses[1], share), smallest(losses[0], share)


def disagreement(logits: Sequence[Tensor]) -> Tensor:
    """Where two networks predict different classes, ``(b,)`` bool."""
    return logits[0].argmax(1) != logits[1].argmax(1)


def belief_of_kept(kept: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
    """Given labels of samples that are kept, predictions for the others: ``(n, C)``.

    Args:
        kept: ``(n,)`` bool.
        labels: given, ``(n,)``.
        logits: ``(n, C)``.
    """
    given = F.one_hot(labels, logits.shape[1]).float()
    return torch.where(kept[:, None], given, logits.softmax(1))


def small_loss_belief(losses: Tensor, share: float, labels: Tensor, logits: Tensor) -> Tensor:
    """``belief_of_kept`` where the smallest losses ``(n,)`` of all samples are kept."""
    kept = torch.zeros(len(losses), dtype=torch.bool, device=losses.device)
    kept[smallest(losses, share)] = True
    return belief_of_kept(kept, labels, logits)
