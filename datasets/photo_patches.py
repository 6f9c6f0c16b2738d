"""Patches of the two photographs that scikit-learn ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.api import Dataset, Split

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 16
"""Pixels a side of a patch."""
TEST_COLUMNS = 10
"""Columns of patches at the right edge of each photograph that are the test set."""


class PhotoPatches(Dataset):
    """2,080 colour patches 16x16 of two photographs, a temple and a flower; with scikit-learn.

    Which photograph is a patch from? It is here as the bundled source of images that show no
    digit, for open-set noise. Patches do not overlap, and the right quarter of each photograph is
    the test set, so that neighbours are not on both sides but along one line.
    """

    name = "photo-patches"
    paper = "scikit-learn's sample images china.jpg and flower.jpg (sklearn.datasets)"
    class_names = ("china", "flower")
    official_size = (1560, 520)
    bundled = True

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Both splits from scikit-learn's own copy."""
        from sklearn.datasets import load_sample_image

        grids = [_patches(load_sample_image(f"{name}.jpg")) for name in self.class_names]
        cut = grids[0].shape[1] - TEST_COLUMNS
        train = _split([grid[:, :cut] for grid in grids])
        test = _split([grid[:, cut:] for grid in grids])
        return train, test, self.class_names


def _patches(photo: np.ndarray) -> np.ndarray:
    """The grid of whole patches ``(rows, columns, SIDE, SIDE, 3)``."""
    rows, columns = photo.shape[0] // SIDE, photo.shape[1] // SIDE
    whole = photo[: rows * SIDE, : columns * SIDE]
    return whole.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)


def _split(grids: list[np.ndarray]) -> Split:
    flat = [grid.reshape(-1, SIDE, SIDE, 3) for grid in grids]
    labels = np.repeat(np.arange(len(flat), dtype=np.int64), [len(patches) for patches in flat])
    return Split(np.ascontiguousarray(np.concatenate(flat)), labels, np.arange(len(labels)))
