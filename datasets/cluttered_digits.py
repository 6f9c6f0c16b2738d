"""scikit-learn's digits at random places among fragments of other digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.api import Dataset, Split
from datasets.digits import Digits

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 16
FRAGMENTS = 2
FRAGMENT = 4
"""Pixels a side of a fragment."""


class ClutteredDigits(Dataset):
    """The 1,797 digits at random places of 16x16 canvases, among fragments of other digits.

    After the cluttered translated MNIST of Mnih et al. It is the bundled set that is harder than
    ``digits``: the other tables that scikit-learn ships have two or three classes and at most 569
    rows, and a linear model nearly solves them, while this one keeps ten classes, for which every
    noise and confusion of the field exists, and asks for a position and for what is clutter.
    Places and fragments are drawn once, with a fixed seed that no run can change, from the same
    split; the split is that of ``digits``.
    """

    name = "cluttered-digits"
    paper = "Mnih et al., Recurrent Models of Visual Attention, NeurIPS 2014, arXiv 1406.6247"
    class_names = Digits.class_names
    official_size = Digits.official_size
    canonical_size = Digits.canonical_size
    bundled = True

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Both splits from scikit-learn's own copy."""
        train, test, names = Digits().build(raw)
        rng = np.random.default_rng(0)
        return _cluttered(train, rng), _cluttered(test, rng), names


def _cluttered(digits: Split, rng: np.random.Generator) -> Split:
    """Each digit on a canvas of its own; where things overlap, the brighter pixel wins."""
    n, side = digits.inputs.shape[:2]
    canvases = np.zeros((n, SIDE, SIDE, 1), dtype=np.uint8)
    for canvas, digit in zip(canvases, digits.inputs, strict=True):
        for other in rng.integers(n, size=FRAGMENTS):
            top, left = rng.integers(side - FRAGMENT + 1, size=2)
            piece = digits.inputs[other, top : top + FRAGMENT, left : left + FRAGMENT]
            _put(canvas, piece, rng)
        _put(canvas, digit, rng)
    return Split(canvases, digits.labels, digits.index)


def _put(canvas: np.ndarray, piece: np.ndarray, rng: np.random.Generator) -> None:
    top, left = rng.integers(SIDE - len(piece) + 1, size=2)
    place = canvas[top : top + len(piece), left : left + len(piece)]
    np.maximum(place, piece, out=place)
