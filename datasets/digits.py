"""The 1,797 handwritten digits that scikit-learn ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.api import Dataset, Split

if TYPE_CHECKING:
    from pathlib import Path


class Digits(Dataset):
    """1,797 real handwritten digits, 8x8 grey, 10 classes; ships with scikit-learn.

    scikit-learn gives no official split: 360 stratified images are the test set, drawn once with a
    fixed seed that no run can change.
    """

    name = "digits"
    paper = "Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI 1998"
    class_names = tuple(str(digit) for digit in range(10))
    official_size = (1437, 360)
    canonical_size = 1797
    bundled = True

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Both splits from scikit-learn's own copy."""
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        digits = load_digits()
        images = digits.images.astype(np.uint8)[..., None]
        labels = digits.target.astype(np.int64)
        position = np.arange(len(labels))
        train, test = train_test_split(position, test_size=360, stratify=labels, random_state=0)
        train, test = np.sort(train), np.sort(test)
        return (
            Split(images[train], labels[train], train),
            Split(images[test], labels[test], test),
            self.class_names,
        )
