"""Residual networks with the stem that the field uses for 32x32 images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from torch import nn
from torch.nn import functional as F

from bench.api import Backbone, Field

if TYPE_CHECKING:
    from torch import Tensor


def conv3x3(channels: int, width: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution without bias, padded."""
    return nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Post-activation block: conv-bn-relu-conv-bn, plus shortcut, relu."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(channels, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width), nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Same as the input, ``stride`` times smaller."""
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class PreActBlock(nn.Module):
    """Pre-activation block: bn-relu-conv twice, plus shortcut of the activated input."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), conv3x3(channels, width, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), conv3x3(width, width)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels != width:
            self.shortcut = nn.Conv2d(channels, width, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same as the input, ``stride`` times smaller."""
        active = F.relu(self.bn1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        residual: Tensor = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return residual + shortcut


class _Pool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, 1).flatten(1)


def stages(block: type[nn.Module], counts: tuple[int, ...], width: int) -> list[nn.Module]:
    """Four stages that double the width and halve the resolution, the first at full size."""
    layers: list[nn.Module] = []
    channels = width
    for position, count in enumerate(counts):
        out = width * 2**position
        for repeat in range(count):
            stride = 2 if repeat == 0 and position > 0 else 1
            layers.append(block(channels, out, stride))
            channels = out
    return layers


class ResNet34(Backbone):
    """ResNet-34 with a 3x3 stem and no max pooling, as for CIFAR; q = 512."""

    name = "resnet34"
    paper = "He et al., Deep Residual Learning, CVPR 2016, arXiv 1512.03385"
    width: Annotated[int, Field(ge=1)] = 64

    def build(self, shape: tuple[int, ...]) -> tuple[nn.Module, int]:
        """Blocks 3-4-6-3."""
        stem = [conv3x3(shape[0], self.width), nn.BatchNorm2d(self.width), nn.ReLU(inplace=True)]
        body = stages(BasicBlock, (3, 4, 6, 3), self.width)
        return nn.Sequential(*stem, *body, _Pool()), 8 * self.width


class PreActResNet18(Backbone):
    """PreAct-ResNet-18 with a 3x3 stem, the DivideMix lineage's network; q = 512.

    The last batch norm and ReLU come before pooling, as in He et al.; some noisy-label
    repositories leave them out.
    """

    name = "preact-resnet18"
    paper = "He et al., Identity Mappings in Deep Residual Networks, ECCV 2016, arXiv 1603.05027"
    width: Annotated[int, Field(ge=1)] = 64

    def build(self, shape: tuple[int, ...]) -> tuple[nn.Module, int]:
        """Blocks 2-2-2-2."""
        last = 8 * self.width
        body = stages(PreActBlock, (2, 2, 2, 2), self.width)
        tail = [nn.BatchNorm2d(last), nn.ReLU(inplace=True), _Pool()]
        return nn.Sequential(conv3x3(shape[0], self.width), *body, *tail), last
