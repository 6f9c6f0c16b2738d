"""Which layers of a backbone come last."""

from __future__ import annotations

from torch import nn


def last_layers(network: nn.Module, blocks: int) -> list[nn.Module]:
    """The head, and before it everything from the ``blocks``-th last block with weights on.

    A block is a child of the body that holds a weight of two or more dimensions: a convolution, a
    linear layer or a residual block; normalisation that follows belongs to it. Fewer blocks than
    asked for give the whole body.
    """
    head: nn.Module = network.head  # type: ignore[assignment]
    body = [
        layer
        for child in network.children()
        if child is not head
        for layer in (child.children() if isinstance(child, nn.Sequential) else [child])
    ]
    weighty = [i for i, layer in enumerate(body) if any(p.ndim > 1 for p in layer.parameters())]
    if blocks == 0 or not weighty:
        return [head]
    return [*body[weighty[max(0, len(weighty) - blocks)] :], head]
