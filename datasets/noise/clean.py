"""No noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api import DataInfo, Noise

if TYPE_CHECKING:
    from numpy import ndarray


class Clean(Noise):
    """The true labels: the ceiling that every noise is read against."""

    name = "clean"

    def transition_matrix(self, data: DataInfo) -> ndarray[Any, Any]:
        """The identity."""
        return np.eye(data.n_classes)
