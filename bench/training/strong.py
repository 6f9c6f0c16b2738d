"""Strong augmentation of a batch on the device: RandAugment, then cutout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as tv

from bench.training.batches import centres, cutout, to_device
from bench.training.sources import Inputs

LAYERS = 2
MAGNITUDE = 10 / 30
"""Of the whole range, as in FixMatch's and UDA's settings for CIFAR (2 operations, 10 of 30)."""
GEOMETRIC = ("shear-x", "shear-y", "translate-x", "translate-y", "rotate")
COLOUR: dict[str, Callable[[Tensor, float], Tensor]] = {
    "brightness": lambda x, m: tv.adjust_brightness(x, 1 + 0.9 * m),
    "color": lambda x, m: tv.adjust_saturation(x, 1 + 0.9 * m),
    "contrast": lambda x, m: tv.adjust_contrast(x, 1 + 0.9 * m),
    "sharpness": lambda x, m: tv.adjust_sharpness(x, 1 + 0.9 * m),
}
UNSIGNED: dict[str, Callable[[Tensor, float], Tensor]] = {
    "posterize": lambda x, m: tv.posterize(x, 8 - round(4 * m)),
    "solarize": lambda x, m: tv.solarize(x, 255 * (1 - m)),
    "auto-contrast": lambda x, m: tv.autocontrast(x),
    "equalize": lambda x, m: tv.equalize(x),
}
OPERATIONS = ("identity", *GEOMETRIC, *COLOUR, *UNSIGNED)
"""The fourteen of RandAugment (Cubuk et al., NeurIPS-W 2020, arXiv 1909.13719)."""


@dataclass(frozen=True)
class StrongAugmenter:
    """RandAugment with an operation and a sign of each image's own, then cutout.

    torchvision's own RandAugment draws once a batch. Its operations are used here on the images
    that drew them; the geometric ones are all done in one resampling of the batch.

    Attributes:
        peak: the largest pixel value of the data set; the operations expect it to be 255.
    """

    peak: int

    @classmethod
    def of(cls, inputs: Inputs) -> StrongAugmenter:
        """For training images ``(n, c, h, w)`` uint8."""
        return cls(max(1, *(int(block.max()) for block in inputs.blocks(4096))))

    def __call__(self, x: Tensor, draws: torch.Generator) -> Tensor:
        """Strongly augmented copy of raw images ``(b, c, h, w)``, stretched to 0 … 255, uint8."""
        x = (x.float() * (255 / self.peak)).round().to(torch.uint8)
        for _ in range(LAYERS):
            chosen = torch.randint(0, len(OPERATIONS), (len(x),), generator=draws)
            sign = 2 * torch.randint(0, 2, (len(x),), generator=draws) - 1
            x = augment(x, chosen, sign)
        return cutout(x, centres(len(x), x.shape[2], x.shape[3], draws), 0)


def augment(x: Tensor, chosen: Tensor, sign: Tensor) -> Tensor:
    """Each image by its own operation.

    Args:
        x: images ``(b, c, h, w)`` uint8, 0 to 255.
        chosen: positions in ``OPERATIONS`` ``(b,)``, on the CPU.
        sign: -1 or 1 ``(b,)``, on the CPU: left or right, darker or brighter.
    """
    x = _resample(x, chosen, sign)
    groups = [(name, s) for name in COLOUR for s in (-1, 1)] + [(name, 0) for name in UNSIGNED]
    for name, s in groups:
        mine = chosen == OPERATIONS.index(name)
        chosen_rows = (mine & (sign == s) if s else mine).nonzero().squeeze(1)
        rows = to_device(chosen_rows, x.device)
        if len(rows):
            operation = COLOUR[name] if s else UNSIGNED[name]
            x[rows] = operation(x[rows], (s or 1) * MAGNITUDE)
    return x


def _resample(x: Tensor, chosen: Tensor, sign: Tensor) -> Tensor:
    """Shear, shift and rotate about the centre, nearest pixel, black outside; a copy."""
    b, _, h, w = x.shape
    amount = MAGNITUDE * sign.float()

    def mine(name: str) -> Tensor:
        return amount * (chosen == OPERATIONS.index(name))

    angle = torch.deg2rad(30 * mine("rotate"))
    # Where a pixel of the result comes from, in units of half the image's sides.
    rows = [
        torch.stack([angle.cos(), -angle.sin() * h / w, 0.9 * mine("translate-x")], 1),
        torch.stack([angle.sin() * w / h, angle.cos(), 0.9 * mine("translate-y")], 1),
    ]
    shear = torch.zeros(b, 2, 3)
    shear[:, 0, 1], shear[:, 1, 0] = 0.3 * mine("shear-x") * h / w, 0.3 * mine("shear-y") * w / h
    theta = torch.stack(rows, 1) + shear
    index = ((chosen > 0) & (chosen <= len(GEOMETRIC))).nonzero().squeeze(1)
    result = x.clone()
    if len(index):
        there = to_device(index, x.device)
        part = x[there].float()
        grid = F.affine_grid(
            to_device(theta[index], x.device), list(part.shape), align_corners=False
        )
        result[there] = F.grid_sample(part, grid, "nearest", "zeros", align_corners=False).to(
            torch.uint8
        )
    return result
