"""CIFAR-10 through torchvision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.api import Dataset, Split

if TYPE_CHECKING:
    from pathlib import Path

    from torchvision.datasets import CIFAR10


def split_of(images: CIFAR10) -> Split:
    """A torchvision CIFAR split as arrays; the canonical index is its own order."""
    labels = np.asarray(images.targets, dtype=np.int64)
    return Split(np.asarray(images.data, dtype=np.uint8), labels, np.arange(len(labels)))


class Cifar10(Dataset):
    """60,000 colour images of 32x32 pixels in 10 classes."""

    name = "cifar10"
    paper = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
    class_names = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    official_size = (50_000, 10_000)

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Download (checked by torchvision's own md5) and decode."""
        from torchvision.datasets import CIFAR10

        train = CIFAR10(raw, train=True, download=True)
        test = CIFAR10(raw, train=False, download=True)
        return split_of(train), split_of(test), self.class_names
