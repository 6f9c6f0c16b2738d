"""Pair-flip noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api import DataInfo, Noise, Rate

if TYPE_CHECKING:
    from numpy import ndarray


class PairFlip(Noise):
    """Every class becomes the next one, ``i`` to ``i + 1`` modulo ``C``, with probability rate."""

    name = "pairflip"
    paper = "Han et al., Co-teaching, NeurIPS 2018, arXiv 1804.06872"
    rate: Rate = 0.45

    def transition_matrix(self, data: DataInfo) -> ndarray[Any, Any]:
        """``1 - rate`` on the diagonal, ``rate`` beside it."""
        identity = np.eye(data.n_classes)
        return (1 - self.rate) * identity + self.rate * np.roll(identity, 1, axis=1)
