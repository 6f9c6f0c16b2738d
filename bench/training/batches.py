"""Data on the device: uint8 once, then batches by index, augmented a whole batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.training.sources import BLOCK_BYTES, Inputs

CUTOUT = 0.5
"""Side of the square that cutout blanks, as a share of the image's (16 of 32 pixels)."""

GROUP_BYTES = {"cpu": 2**20}
GROUP_BYTES_OF_ACCELERATORS = 2**25
"""Of the inputs that are augmented at once, by type of device, in float32."""


@dataclass(frozen=True)
class Normaliser:
    """Mean and standard deviation of the training inputs, per channel (or per feature)."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, inputs: Inputs) -> Normaliser:
        """From training inputs ``(n, c, h, w)`` or ``(n, d)``, in float64, in blocks."""
        image = len(inputs.shape) == 4
        axes = (0, 2, 3) if image else (0,)
        total = torch.zeros(inputs.shape[1], dtype=torch.float64, device=inputs.device)
        square = torch.zeros_like(total)
        # Sums of bytes are exact in whatever blocks; those of large images have to be small ones.
        size = min(4096, max(1, BLOCK_BYTES // inputs.shape[1:].numel())) if image else 4096
        for block in inputs.blocks(size):
            values = block.double()
            total += values.sum(axes)
            square += values.square().sum(axes)
        count = inputs.shape.numel() / inputs.shape[1]
        mean = total / count
        std = (square / count - mean.square()).clamp_min(0).sqrt()
        std = torch.where(std > 1e-8, std, torch.ones_like(std))
        shape = (1, -1, 1, 1) if image else (1, -1)
        return cls(mean.float().view(shape), std.float().view(shape))

    def __call__(self, inputs: Tensor) -> Tensor:
        """Float32, normalised, images in channels-last layout."""
        x = (inputs.float() - self.mean).div_(self.std)
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


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


def in_groups(batches: Iterable[Tensor], inputs: Inputs) -> Iterator[list[Tensor]]:
    """Batches of positions that are augmented at once: the calls are those of one batch.

    As many as are small together (in float32); a CPU's cache holds less.
    """
    limit = GROUP_BYTES.get(inputs.device.type, GROUP_BYTES_OF_ACCELERATORS)
    room = limit // (4 * inputs.shape[1:].numel())
    group: list[Tensor] = []
    for batch in batches:
        if group and sum(map(len, group)) + len(batch) > room:
            yield group
            group = []
        group.append(batch)
    if group:
        yield group


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """The same values on the device, without waiting until it has done what it was told before.

    For positions and draws made on the CPU. The values are read before this returns.
    """
    return values.to(device, non_blocking=device.type == "cuda")


@dataclass(frozen=True)
class Draws:
    """What chance says of some images' augmentation, on the CPU; None where a step is not done.

    Attributes:
        corners: rows and columns of crops, ``(b, 2)``.
        mirrored: ``(b,)`` bool.
        centres: rows and columns of cutouts, ``(b, 2)``.
    """

    corners: Tensor | None = None
    mirrored: Tensor | None = None
    centres: Tensor | None = None

    @classmethod
    def joined(cls, parts: Sequence[Draws]) -> Draws:
        """Those of several batches, as of one."""
        return cls(
            *(
                None if any(part is None for part in column) else torch.cat(column)
                for column in zip(*((p.corners, p.mirrored, p.centres) for p in parts), strict=True)
            )
        )


class Augmenter:
    """Random crop, horizontal flip and cutout of a batch, each image its own.

    Args:
        steps: of ``Protocol.augmentation``; in whatever order they are named, a crop comes first
            and cutout last.
        blank: what cutout paints, a pixel value or one a channel ``(1, c, 1, 1)``, which is
            rounded for images of bytes. The training mean is next to zero after normalising.
    """

    def __init__(self, steps: tuple[str, ...], blank: Tensor | float = 0.0) -> None:
        self._pad = next((PADS[step] for step in steps if step in PADS), None)
        self._steps = steps
        self._blank = blank

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Augmented copy of raw images ``(b, c, h, w)``; features pass unchanged.

        Draws are made on the CPU, from ``generator``.
        """
        return self.apply(x, self.draw(len(x), x.shape[1:], generator))

    def draw(self, n: int, shape: Sequence[int], generator: torch.Generator) -> Draws:
        """Chance for ``n`` images of a shape ``(c, h, w)``; nothing for features."""
        if len(shape) != 3:
            return Draws()
        _, h, w = shape
        return Draws(
            None if self._pad is None else _corners(n, h, w, generator),
            torch.rand(n, generator=generator).lt(0.5) if "flip" in self._steps else None,
            centres(n, h, w, generator) if "cutout" in self._steps else None,
        )

    def apply(self, x: Tensor, draws: Draws) -> Tensor:
        """Images ``(b, c, h, w)`` with their draws; features pass unchanged.

        Cropping comes before normalisation, so that the border is black as in the field's code.
        """
        if draws.corners is not None and self._pad is not None:
            x = _crop(x, draws.corners, self._pad)
        if draws.mirrored is not None:
            x = _flip(x, draws.mirrored)
        if draws.centres is not None:
            blank = self._blank
            if isinstance(blank, Tensor) and not x.is_floating_point():
                blank = blank.round().to(x.dtype)
            x = cutout(x, draws.centres, blank)
        return x


def _padding(h: int, w: int) -> tuple[int, int]:
    """An eighth of each side."""
    return max(1, h // 8), max(1, w // 8)


def _corners(n: int, h: int, w: int, generator: torch.Generator) -> Tensor:
    pad_h, pad_w = _padding(h, w)
    top = torch.randint(0, 2 * pad_h + 1, (n,), generator=generator)
    left = torch.randint(0, 2 * pad_w + 1, (n,), generator=generator)
    return torch.stack([top, left], 1)


def _crop(x: Tensor, corners: Tensor, padded: Callable[[Tensor, int, int], Tensor]) -> Tensor:
    """Pad, and cut a window of the old size, each image its own."""
    b, _, h, w = x.shape
    windows = padded(x, *_padding(h, w)).unfold(2, h, 1).unfold(3, w, 1).permute(0, 2, 3, 1, 4, 5)
    top, left = to_device(corners, x.device).unbind(1)
    return windows[torch.arange(b, device=x.device), top, left]


def _pad_black(x: Tensor, pad_h: int, pad_w: int) -> Tensor:
    return F.pad(x, (pad_w, pad_w, pad_h, pad_h))


def _pad_reflected(x: Tensor, pad_h: int, pad_w: int) -> Tensor:
    """Mirrored about the border pixels; ``F.pad`` does not do it for bytes."""
    rows = _reflected(x.shape[2], pad_h, x.device)
    return x.index_select(2, rows).index_select(3, _reflected(x.shape[3], pad_w, x.device))


def _reflected(n: int, pad: int, device: torch.device) -> Tensor:
    """Positions ``(n + 2 pad,)``: ``2 1 | 0 1 … n-1 | n-2 n-3`` for a pad of two."""
    outside = torch.arange(-pad, n + pad, device=device).abs()
    return torch.minimum(outside, 2 * (n - 1) - outside).clamp_min(0)


PADS: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "crop": _pad_black,
    "crop-reflect": _pad_reflected,
}
"""How a step of ``Protocol.augmentation`` that crops makes an image larger."""


def _flip(x: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror the images that were chosen; a copy."""
    rows = to_device(mirrored.nonzero().squeeze(1), x.device)
    return x.index_copy(0, rows, x[rows].flip(3))


def centres(n: int, h: int, w: int, generator: torch.Generator) -> Tensor:
    """Rows and columns of ``n`` cutouts ``(n, 2)``, drawn on the CPU, all rows before columns."""
    rows = torch.randint(0, h, (n, 1), generator=generator)
    columns = torch.randint(0, w, (n, 1), generator=generator)
    return torch.cat([rows, columns], 1)


def cutout(x: Tensor, centres: Tensor, blank: Tensor | float, share: float = CUTOUT) -> Tensor:
    """Paint a square around a centre, cut off at the border; a copy.

    DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout,
    arXiv 1708.04552, 2017.

    Args:
        x: images ``(b, c, h, w)``.
        centres: rows and columns ``(b, 2)``.
        blank: the value painted, or one a channel ``(1, c, 1, 1)``.
        share: side of the square over that of the image.
    """
    _, _, h, w = x.shape
    rows, columns = torch.split(to_device(centres, x.device), 1, dim=1)
    half_h, half_w = share * h / 2, share * w / 2
    y, z = torch.arange(h, device=x.device), torch.arange(w, device=x.device)
    inside_y = (y >= rows - half_h) & (y < rows + half_h)
    inside_x = (z >= columns - half_w) & (z < columns + half_w)
    inside = (inside_y[:, :, None] & inside_x[:, None, :])[:, None]
    return (
        torch.where(inside, blank, x) if isinstance(blank, Tensor) else x.masked_fill(inside, blank)
    )
