"""SVHN through torchvision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.api import Dataset, Split

if TYPE_CHECKING:
    from pathlib import Path


class Svhn(Dataset):
    """99,289 house numbers from street views, 32x32 colour, 10 classes; without the extra set."""

    name = "svhn"
    paper = "Netzer et al., Reading Digits in Natural Images, NIPS workshop 2011"
    class_names = tuple(str(digit) for digit in range(10))
    official_size = (73_257, 26_032)

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Download (torchvision checks the md5 of each file, each time) and decode."""
        from torchvision.datasets import SVHN

        splits = []
        for part in ("train", "test"):
            found = SVHN(raw, split=part, download=True)
            images = np.ascontiguousarray(found.data.transpose(0, 2, 3, 1))
            labels = found.labels.astype(np.int64)
            splits.append(Split(images, labels, np.arange(len(labels))))
        return splits[0], splits[1], self.class_names
