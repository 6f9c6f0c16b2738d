"""What a protocol's optimiser and schedule do to the modules that are trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import lr_scheduler

from bench.protocol import Optimiser, Protocol, Schedule


class Trainer:
    """Optimiser, learning rate and gradient clipping of a protocol over some modules."""

    def __init__(
        self, protocol: Protocol, modules: Iterable[nn.Module], epochs: int | None = None
    ) -> None:
        self._protocol = protocol
        self._modules = tuple(modules)
        self._parameters = [p for module in self._modules for p in module.parameters()]
        self._idle = not self._parameters
        if self._idle:  # a method that solves for its weights; optimisers refuse none
            self._parameters = [Parameter(torch.zeros(0))]
        self._optimiser = build_optimiser(protocol.optimiser, self._parameters)
        self.forget()
        self.reschedule(protocol.epochs if epochs is None else epochs)

    @property
    def lr(self) -> float:
        """The learning rate of the current epoch."""
        return float(self._optimiser.param_groups[0]["lr"])

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        """What steps; its state is part of the training's."""
        return self._optimiser

    def step(self, loss: Tensor) -> None:
        """Zero the gradients, back-propagate, clip, and take an optimiser step."""
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.apply()

    def apply(self) -> None:
        """Clip the gradients that are there and take an optimiser step."""
        if self._protocol.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._protocol.gradient_clip)
        self._optimiser.step()

    def end_epoch(self) -> None:
        """Move the learning rate to that of the next epoch."""
        if not self._idle:
            self._schedule.step()

    def reschedule(self, epochs: int, *, constant: bool = False) -> None:
        """Begin the schedule anew, over ``epochs`` epochs; ``constant`` keeps the first rate."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._protocol.optimiser.lr
        self._span = {"epochs": epochs, "constant": constant}
        settings = Schedule(name="constant") if constant else self._protocol.schedule
        share = epochs / self._protocol.epochs
        self._schedule = build_schedule(settings, self._optimiser, epochs, share)

    def forget(self) -> None:
        """Drop momentum and the like, for weights that begin anew."""
        self._optimiser.state.clear()
        if self._optimiser.defaults.get("fused") and self._optimiser.defaults.get("momentum"):
            # Fused SGD stops when some parameters have momentum and others get their first
            # gradient only now; from zero the first step is the same.
            for parameter in self._parameters:
                self._optimiser.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "span": dict(self._span),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.reschedule(state["span"]["epochs"], constant=state["span"]["constant"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])


def build_optimiser(settings: Optimiser, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
    """The optimiser of a protocol; the fused kernel on CUDA.

    On a CPU the fused kernels round otherwise than the plain ones, so that results would change.
    """
    trained = list(parameters)
    fused = bool(trained) and trained[0].device.type == "cuda"
    common = {"lr": settings.lr, "weight_decay": settings.weight_decay, "fused": fused or None}
    return OPTIMISERS[settings.name](trained, settings, common)


def build_schedule(
    settings: Schedule, optimiser: torch.optim.Optimizer, epochs: int, share: float = 1.0
) -> lr_scheduler.LRScheduler:
    """The learning rate, epoch by epoch; ``share`` of the protocol's epochs scales milestones."""
    return SCHEDULES[settings.name](optimiser, settings, epochs, share)


def _sgd(trained: list[Parameter], own: Optimiser, common: dict[str, Any]) -> torch.optim.Optimizer:
    return torch.optim.SGD(trained, momentum=own.momentum, nesterov=own.nesterov, **common)


def _adam(
    trained: list[Parameter], own: Optimiser, common: dict[str, Any]
) -> torch.optim.Optimizer:
    return torch.optim.Adam(trained, betas=(own.momentum, 0.999), **common)


def _adamw(
    trained: list[Parameter], own: Optimiser, common: dict[str, Any]
) -> torch.optim.Optimizer:
    return torch.optim.AdamW(trained, betas=(own.momentum, 0.999), **common)


OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
}
"""By the names in ``bench.protocol.Optimiser``."""


def _constant(
    optimiser: torch.optim.Optimizer, own: Schedule, epochs: int, share: float
) -> lr_scheduler.LRScheduler:
    return lr_scheduler.ConstantLR(optimiser, factor=1.0)


def _cosine(
    optimiser: torch.optim.Optimizer, own: Schedule, epochs: int, share: float
) -> lr_scheduler.LRScheduler:
    return lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs)


def _multistep(
    optimiser: torch.optim.Optimizer, own: Schedule, epochs: int, share: float
) -> lr_scheduler.LRScheduler:
    milestones = [round(milestone * share) for milestone in own.milestones]
    return lr_scheduler.MultiStepLR(optimiser, milestones, own.gamma)


SCHEDULES: dict[str, Callable[..., lr_scheduler.LRScheduler]] = {
    "constant": _constant,
    "cosine": _cosine,
    "multistep": _multistep,
}
"""By the names in ``bench.protocol.Schedule``."""
