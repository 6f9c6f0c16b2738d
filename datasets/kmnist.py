"""Kuzushiji-MNIST through torchvision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.api import Dataset, Split
from datasets.mnist import split_of

if TYPE_CHECKING:
    from pathlib import Path


class Kmnist(Dataset):
    """70,000 cursive Japanese characters, 28x28 grey, one hiragana for each of 10 classes."""

    name = "kmnist"
    paper = "Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018, 1812.01718"
    class_names = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    official_size = (60_000, 10_000)

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Download (torchvision checks the md5 of each archive) and decode."""
        from torchvision.datasets import KMNIST

        train, test = (KMNIST(raw, train=part, download=True) for part in (True, False))
        return split_of(train), split_of(test), self.class_names
