"""The optimiser's step of several trainings at once, on stacked weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.training.optimise import build_optimiser
from bench.training.stacked_network import stack_of

if TYPE_CHECKING:
    from bench.protocol import Protocol
    from bench.training.optimise import Trainer
    from bench.training.stacked_network import StackedNetwork


class StackedOptimiser:
    """Steps of trainers that share a protocol; their own states stay true, as views of stacks.

    Optimisers whose state is of the weights' shapes, such as momentum, step once for all; others,
    such as Adam with its count of steps, one trainer after the other.

    Args:
        protocol: of all trainers.
        trainers: one of each network.
        stacked: of the networks that they train.
    """

    def __init__(
        self, protocol: Protocol, trainers: Sequence[Trainer], stacked: StackedNetwork
    ) -> None:
        self._trainers = list(trainers)
        self._stacks = stacked.stacks
        self._parts = stacked.parts
        self._joint = build_optimiser(protocol.optimiser, self._stacks)
        self._is_joint = False
        self._has_stepped = any(trainer.optimiser.state for trainer in trainers)

    def begin_epoch(self) -> None:
        """Take over the learning rate, and what may have changed between two epochs."""
        rates = {trainer.lr for trainer in self._trainers}
        for group in self._joint.param_groups:
            group["lr"] = self._trainers[0].lr
        self._is_joint = len(rates) == 1 and self._has_stepped and self._gather()

    def zero_grad(self) -> None:
        """Forget the gradients of stacks and parts."""
        for stack, parts in zip(self._stacks, self._parts, strict=True):
            stack.grad = None
            for part in parts:
                part.grad = None

    def gradients(self) -> list[list[Tensor]]:
        """Of every network, in the order of its parameters."""
        by_part = {
            id(part): row
            for stack, parts in zip(self._stacks, self._parts, strict=True)
            for part, row in zip(parts, _gradient(stack), strict=True)
        }
        return [
            [by_part[id(p)] for p in trainer.optimiser.param_groups[0]["params"]]
            for trainer in self._trainers
        ]

    def step(self) -> None:
        """Apply the stacks' gradients."""
        if self._is_joint:
            self._joint.step()
            return
        for stack, parts in zip(self._stacks, self._parts, strict=True):
            for part, row in zip(parts, _gradient(stack), strict=True):
                part.grad = row
        for trainer in self._trainers:
            trainer.apply()
        if not self._has_stepped:  # there is a state to stack now, if there ever is one
            self._has_stepped = True
            self.begin_epoch()

    def _gather(self) -> bool:
        """Stack the states of the trainers' optimisers; False where that is not possible."""
        gathered = {}
        for stack, parts in zip(self._stacks, self._parts, strict=True):
            states = [
                trainer.optimiser.state.get(part, {})
                for trainer, part in zip(self._trainers, parts, strict=True)
            ]
            names = set(states[0])
            for state, part in zip(states, parts, strict=True):
                if set(state) != names or not all(
                    isinstance(v, Tensor) and v.shape == part.shape for v in state.values()
                ):
                    return False
            gathered[stack] = {name: stack_of([s[name] for s in states]) for name in names}
        self._joint.state.clear()
        for stack, parts in zip(self._stacks, self._parts, strict=True):
            self._joint.state[stack] = gathered[stack]
            for number, (trainer, part) in enumerate(zip(self._trainers, parts, strict=True)):
                own = {name: value[number] for name, value in gathered[stack].items()}
                trainer.optimiser.state[part] = own
        return True


def _gradient(stack: torch.nn.Parameter) -> Tensor:
    if stack.grad is None:
        raise RuntimeError("a weight had no gradient")
    return stack.grad
