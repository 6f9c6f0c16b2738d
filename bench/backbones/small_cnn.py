"""A small convolutional network for small images on small machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from torch import nn

from bench.api import Backbone, Field

if TYPE_CHECKING:
    from torch import Tensor


class SmallCNN(Backbone):
    """Three 3x3 convolution stages with batch norm; for 8x8 to 32x32 images on a CPU.

    Features are the spatial mean of the last stage, ``q = 4 * width``.
    """

    name = "small-cnn"
    width: Annotated[int, Field(ge=1)] = 32

    def build(self, shape: tuple[int, ...]) -> tuple[nn.Module, int]:
        """Stages at full, half and quarter resolution."""
        channels, widths = shape[0], (self.width, 2 * self.width, 4 * self.width)
        stages: list[nn.Module] = []
        for position, width in enumerate(widths):
            stages += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            if position < len(widths) - 1:
                stages.append(nn.MaxPool2d(2))
            channels = width
        return nn.Sequential(*stages, _SpatialMean()), widths[-1]


class _SpatialMean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))
