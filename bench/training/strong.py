"""Strong augmentation of a batch on the device: RandAugment, then cutout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

LAYERS = 2
MAGNITUDE = 10 / 30
"""Of the whole range, as in FixMatch's and UDA's settings for CIFAR (2 operations, 10 of 30)."""
CUTOUT = 0.5
"""Side of the square that cutout blanks, as a share of the image's (16 of 32 pixels)."""

Operation = Callable[[Tensor, float], Tensor]


def _affine(x: Tensor, *, angle: float = 0.0, dx: float = 0.0, dy: float = 0.0) -> Tensor:
    move = [round(dx * x.shape[-1]), round(dy * x.shape[-2])]
    moved: Tensor = tv.affine(x, angle=angle, translate=move, scale=1.0, shear=[0.0, 0.0])
    return moved


def _shear(x: Tensor, horizontal: float, vertical: float) -> Tensor:
    degrees = [float(torch.rad2deg(torch.atan(torch.tensor(s)))) for s in (horizontal, vertical)]
    sheared: Tensor = tv.affine(x, 0.0, [0, 0], 1.0, degrees, center=[0, 0])
    return sheared


OPERATIONS: dict[str, Operation] = {
    "identity": lambda x, m: x,
    "shear-x": lambda x, m: _shear(x, 0.3 * m, 0.0),
    "shear-y": lambda x, m: _shear(x, 0.0, 0.3 * m),
    "translate-x": lambda x, m: _affine(x, dx=0.45 * m),
    "translate-y": lambda x, m: _affine(x, dy=0.45 * m),
    "rotate": lambda x, m: _affine(x, angle=30.0 * m),
    "brightness": lambda x, m: tv.adjust_brightness(x, 1 + 0.9 * m),
    "color": lambda x, m: tv.adjust_saturation(x, 1 + 0.9 * m),
    "contrast": lambda x, m: tv.adjust_contrast(x, 1 + 0.9 * m),
    "sharpness": lambda x, m: tv.adjust_sharpness(x, 1 + 0.9 * m),
    "posterize": lambda x, m: tv.posterize(x, 8 - round(4 * abs(m))),
    "solarize": lambda x, m: tv.solarize(x, 255 * (1 - abs(m))),
    "auto-contrast": lambda x, m: tv.autocontrast(x),
    "equalize": lambda x, m: tv.equalize(x),
}
"""The fourteen of RandAugment (Cubuk et al., NeurIPS-W 2020, arXiv 1909.13719); m in -1 … 1."""


@dataclass(frozen=True)
class StrongAugmenter:
    """RandAugment with operations of each image's own, then cutout.

    Operations are torchvision's, whose own RandAugment draws once a batch. Images that share an
    operation and its sign are transformed together, so that a batch costs at most 28 calls a layer.

    Attributes:
        peak: the largest pixel value of the data set; the operations expect it to be 255.
    """

    peak: int

    @classmethod
    def of(cls, inputs: Tensor) -> StrongAugmenter:
        """For training inputs ``(n, c, h, w)`` uint8, or features, which pass unchanged."""
        return cls(int(inputs.max()) if inputs.ndim == 4 else 0)

    def __call__(self, x: Tensor, draws: torch.Generator) -> Tensor:
        """Strongly augmented copy of raw images ``(b, c, h, w)`` uint8; features unchanged."""
        if x.ndim != 4 or self.peak == 0:
            return x
        scale = 255 / self.peak
        x = tv.to_dtype((x.float() * scale).round(), torch.uint8)
        for _ in range(LAYERS):
            x = _rand_augment(x, draws)
        return _cutout(x.float() / scale, draws)


def _rand_augment(x: Tensor, draws: torch.Generator) -> Tensor:
    names = tuple(OPERATIONS)
    chosen = torch.randint(0, 2 * len(names), (len(x),), generator=draws)
    result = x.clone()
    for code in sorted(set(chosen.tolist())):
        rows = (chosen == code).nonzero().squeeze(1).to(x.device)
        sign = 1.0 if code % 2 else -1.0
        result[rows] = OPERATIONS[names[code // 2]](x[rows], sign * MAGNITUDE)
    return result


def _cutout(x: Tensor, draws: torch.Generator) -> Tensor:
    """Blank a square around a random centre, cut off at the border (DeVries & Taylor 2017)."""
    b, _, h, w = x.shape
    rows = torch.randint(0, h, (b, 1), generator=draws).to(x.device)
    columns = torch.randint(0, w, (b, 1), generator=draws).to(x.device)
    half_h, half_w = CUTOUT * h / 2, CUTOUT * w / 2
    y, z = torch.arange(h, device=x.device), torch.arange(w, device=x.device)
    inside_y = (y >= rows - half_h) & (y < rows + half_h)
    inside_x = (z >= columns - half_w) & (z < columns + half_w)
    return x.masked_fill((inside_y[:, :, None] & inside_x[:, None, :])[:, None], 0.0)
