"""A multi-layer perceptron."""

from __future__ import annotations

import math
from typing import Annotated

from torch import nn

from bench.api import Backbone, Field


class MLP(Backbone):
    """Fully connected layers with ReLU on flattened inputs; for feature tables."""

    name = "mlp"
    width: Annotated[int, Field(ge=1)] = 256
    depth: Annotated[int, Field(ge=1)] = 2

    def build(self, shape: tuple[int, ...]) -> tuple[nn.Module, int]:
        """``depth`` hidden layers of ``width`` units."""
        layers: list[nn.Module] = [nn.Flatten()]
        before = math.prod(shape)
        for _ in range(self.depth):
            layers += [nn.Linear(before, self.width), nn.ReLU(inplace=True)]
            before = self.width
        return nn.Sequential(*layers), before
