"""Optimiser and schedule of a protocol, as torch has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import lr_scheduler

from bench.protocol import Optimiser, Schedule


def build_optimiser(settings: Optimiser, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
    """SGD or Adam(W) over all networks; the fused kernel where the device has one."""
    trained = list(parameters)
    fused = bool(trained) and trained[0].device.type == "cuda"
    common: dict[str, Any] = {"lr": settings.lr, "weight_decay": settings.weight_decay}
    if settings.name == "sgd":
        return torch.optim.SGD(
            trained,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            fused=fused or None,
            **common,
        )
    family = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return family(trained, betas=(settings.momentum, 0.999), fused=fused or None, **common)


def build_schedule(
    settings: Schedule, optimiser: torch.optim.Optimizer, epochs: int
) -> lr_scheduler.LRScheduler:
    """The learning rate, epoch by epoch."""
    if settings.name == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs)
    if settings.name == "multistep":
        return lr_scheduler.MultiStepLR(optimiser, list(settings.milestones), settings.gamma)
    return lr_scheduler.ConstantLR(optimiser, factor=1.0)
