"""A network that is the moving average of another one's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


def average_of(network: nn.Module) -> nn.Module:
    """A copy to be moved by ``follow``; keep it on ``self``, so that it is saved."""
    copied = copy.deepcopy(network)
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return copied.eval()


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """``average ← decay · average + (1 - decay) · network``; buffers are copied."""
    for mine, its in zip(average.parameters(), network.parameters(), strict=True):
        mine.lerp_(its, 1 - decay)
    for kept, current in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(current)
