"""STL-10 through torchvision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.api import Dataset, Split

if TYPE_CHECKING:
    from pathlib import Path


class Stl10(Dataset):
    """13,000 labelled colour images of 96x96 pixels in 10 classes; without the unlabelled ones."""

    name = "stl10"
    paper = "Coates et al., An Analysis of Single-Layer Networks, AISTATS 2011"
    class_names = (
        *("airplane", "bird", "car", "cat", "deer"),
        *("dog", "horse", "monkey", "ship", "truck"),
    )
    official_size = (5_000, 8_000)

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Download (torchvision checks the md5 of the archive and of each file) and decode."""
        from torchvision.datasets import STL10

        splits = []
        for part in ("train", "test"):
            found = STL10(raw, split=part, download=True)
            images = np.ascontiguousarray(found.data.transpose(0, 2, 3, 1))
            labels = found.labels.astype(np.int64)
            splits.append(Split(images, labels, np.arange(len(labels))))
        return splits[0], splits[1], self.class_names
