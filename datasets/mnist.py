"""MNIST through torchvision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.api import Dataset, Split

if TYPE_CHECKING:
    from pathlib import Path

    from torchvision.datasets import MNIST


def split_of(images: MNIST) -> Split:
    """A torchvision split of grey 28x28 images; the canonical index is its own order."""
    labels = images.targets.numpy().astype(np.int64)
    return Split(images.data.numpy()[..., None], labels, np.arange(len(labels)))


class Mnist(Dataset):
    """70,000 handwritten digits, 28x28 grey, 10 classes."""

    name = "mnist"
    paper = "LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998"
    class_names = tuple(str(digit) for digit in range(10))
    official_size = (60_000, 10_000)

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Download (torchvision checks the md5 of each archive) and decode."""
        from torchvision.datasets import MNIST

        train, test = (MNIST(raw, train=part, download=True) for part in (True, False))
        return split_of(train), split_of(test), self.class_names
