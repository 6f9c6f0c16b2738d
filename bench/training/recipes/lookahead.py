"""Passing a batch through a network with other parameters than its own."""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call


def virtual(network: nn.Module, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    """Logits with other parameters; running statistics change in a copy that is dropped."""
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    logits: Tensor = functional_call(network, {**parameters, **buffers}, (x,))
    return logits
