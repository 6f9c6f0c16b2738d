"""FMix: mixing two samples under a mask of low spatial frequencies."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from bench.training.recipes.mixing import beta


def low_frequency_mask(
    shape: tuple[int, ...], share: float, draws: torch.Generator, decay: float = 3.0
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A 0/1 mask of ``shape`` with ``share`` ones in connected blobs.

    White noise in Fourier space, damped by ``1 / frequency^decay`` and cut at the value that leaves
    the wanted share (Harris et al., FMix, arXiv 2002.12047, section 4).
    """
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=draws)))
    axes = [np.fft.fftfreq(side) for side in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    grid = np.meshgrid(*axes, indexing="ij")
    frequency = np.sqrt(sum(axis**2 for axis in grid))
    damping = np.maximum(frequency, 1 / max(shape)) ** -decay
    noise = rng.normal(size=(2, *frequency.shape))
    grey = np.fft.irfftn(damping * (noise[0] + 1j * noise[1]), s=shape, axes=range(len(shape)))
    count = min(math.floor(share * grey.size + rng.random()), grey.size)
    mask = np.zeros(grey.size, dtype=np.float32)
    mask[np.argsort(-grey.ravel())[:count]] = 1
    return mask.reshape(shape)


def fmix(
    x: Tensor, targets: Tensor, draws: torch.Generator, alpha: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A batch mixed with a permutation of itself under one mask, and targets in its proportion.

    Args:
        x: images ``(b, c, h, w)`` (one mask for all channels) or features ``(b, d)``.
        targets: shares ``(b, C)``.
        draws: generator on the CPU.
        alpha: the share of the first image ~ Beta(α, α).
    """
    share = beta(alpha, draws)
    shape = tuple(x.shape[2:]) if x.ndim == 4 else tuple(x.shape[1:])
    mask = torch.from_numpy(low_frequency_mask(shape, share, draws)).to(x.device)
    other = torch.randperm(len(x), generator=draws).to(x.device)
    kept = mask.mean()
    mixed = mask * x + (1 - mask) * x[other]
    return mixed, kept * targets + (1 - kept) * targets[other]
