"""Data on the device: uint8 once, then batches by index, augmented a whole batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.api import Split


@dataclass(frozen=True)
class Normaliser:
    """Mean and standard deviation of the training inputs, per channel (or per feature)."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, inputs: Tensor) -> Normaliser:
        """From training inputs ``(n, c, h, w)`` or ``(n, d)``, in float64, in blocks."""
        axes = (0, 2, 3) if inputs.ndim == 4 else (0,)
        total = torch.zeros(inputs.shape[1], dtype=torch.float64, device=inputs.device)
        square = torch.zeros_like(total)
        for block in torch.split(inputs, 4096):
            values = block.double()
            total += values.sum(axes)
            square += values.square().sum(axes)
        count = inputs.numel() / inputs.shape[1]
        mean = total / count
        std = (square / count - mean.square()).clamp_min(0).sqrt()
        std = torch.where(std > 1e-8, std, torch.ones_like(std))
        shape = (1, -1, 1, 1) if inputs.ndim == 4 else (1, -1)
        return cls(mean.float().view(shape), std.float().view(shape))

    def __call__(self, inputs: Tensor) -> Tensor:
        """Float32, normalised, images in channels-last layout."""
        x = (inputs.float() - self.mean) / self.std
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def to_device(split: Split, device: torch.device) -> Tensor:
    """Inputs of a split on the device: images ``(n, c, h, w)`` uint8, features float32."""
    inputs = torch.from_numpy(split.inputs.copy())
    if inputs.ndim == 4:
        inputs = inputs.permute(0, 3, 1, 2).contiguous()
    return inputs.to(device)


def order(n: int, seed: int) -> Tensor:
    """A permutation ``(n,)`` drawn on the CPU, so that it is the same for every device."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def index_batches(chosen: Tensor, size: int) -> Iterator[Tensor]:
    """Indices in batches; a last batch of one sample joins the one before it.

    Batch norm cannot train on a single sample, and no sample may be left out.
    """
    batches = list(torch.split(chosen, size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    yield from batches


class Augmenter:
    """Random crop and horizontal flip of a batch, drawn from a generator of its own."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self._steps = steps

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Augmented copy of raw images ``(b, c, h, w)``; features pass unchanged.

        Cropping comes before normalisation, so that the border is black as in the field's code.
        """
        if x.ndim != 4:
            return x
        if "crop" in self._steps:
            x = _crop(x, generator)
        if "flip" in self._steps:
            flipped = torch.rand(len(x), generator=generator).lt(0.5).to(x.device)
            x = torch.where(flipped.view(-1, 1, 1, 1), x.flip(3), x)
        return x


def _crop(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pad by an eighth of the side with zeros and cut a window of the old size, each its own."""
    b, c, h, w = x.shape
    pad_h, pad_w = max(1, h // 8), max(1, w // 8)
    padded = F.pad(x, (pad_w, pad_w, pad_h, pad_h))
    top = torch.randint(0, 2 * pad_h + 1, (b,), generator=generator).to(x.device)
    left = torch.randint(0, 2 * pad_w + 1, (b,), generator=generator).to(x.device)
    rows = top[:, None] + torch.arange(h, device=x.device)
    columns = left[:, None] + torch.arange(w, device=x.device)
    samples = torch.arange(b, device=x.device)[:, None, None, None]
    channels = torch.arange(c, device=x.device)[None, :, None, None]
    return padded[samples, channels, rows[:, None, :, None], columns[:, None, None, :]]
