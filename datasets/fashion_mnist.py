"""Fashion-MNIST through torchvision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.api import Dataset, Split
from datasets.mnist import split_of

if TYPE_CHECKING:
    from pathlib import Path


class FashionMnist(Dataset):
    """70,000 pieces of clothing, 28x28 grey, 10 classes."""

    name = "fashion-mnist"
    paper = "Xiao et al., Fashion-MNIST, 2017, arXiv 1708.07747"
    class_names = (
        *("t-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    )
    official_size = (60_000, 10_000)

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Download (torchvision checks the md5 of each archive) and decode."""
        from torchvision.datasets import FashionMNIST

        train, test = (FashionMNIST(raw, train=part, download=True) for part in (True, False))
        return split_of(train), split_of(test), self.class_names
