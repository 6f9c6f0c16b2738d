"""Sums over a stream of features: all that the refiners need of a training set of any size."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.api import HeadProblem

PANEL = 128
"""Columns of the Gram matrix that are worked out at a time."""


class FeatureSums:
    """``XᵀX``, ``XᵀY`` and column sums of blocks of rows, in float64.

    Memory is ``q² + q`` numbers and ``(q + C + 1) C`` for each label matrix, whatever the number of
    rows. Of the Gram matrix, which is symmetric, only the upper panels are worked out on a CPU,
    together with ``XᵀY``: half the work. That is done where it gives the very numbers that whole
    products do, which is where no panel has a ragged edge (BLAS sums those in another order).
    """

    def __init__(self, q: int, n_classes: int, device: torch.device | str = "cpu") -> None:
        """Begin with nothing.

        Args:
            q: number of features.
            n_classes: number of columns of label matrices.
            device: where the blocks are.
        """
        self._device = torch.device(device)
        self._classes = n_classes
        self._gram = self._zeros(q, q)
        whole_panels = q % PANEL == 0 and n_classes % 2 == 0
        self._panels = self._device.type == "cpu" and whole_panels
        self._labels: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        self.feature_sum = self._zeros(q)
        self.n = 0

    def add(self, features: Tensor, labels: Mapping[str, Tensor]) -> None:
        """Take in some rows.

        Args:
            features: ``(m, q)``, of any floating type.
            labels: name -> label matrix of these rows ``(m, C)``; the same names every time.
        """
        x = features.double()
        given = {name: target.double() for name, target in labels.items()}
        for name in given.keys() - self._labels.keys():
            q, c = len(self.feature_sum), self._classes
            self._labels[name] = (self._zeros(q, c), self._zeros(c), self._zeros(c, c))
        self.n += len(x)
        self.feature_sum += x.sum(0)
        if self._panels:
            self._add_panels(x, given)
        else:
            self._gram += x.T @ x
        for name, y in given.items():
            cross, total, gram = self._labels[name]
            if not self._panels:
                cross += x.T @ y
            total += y.sum(0)
            gram += y.T @ y

    def _add_panels(self, x: Tensor, labels: Mapping[str, Tensor]) -> None:
        """``XᵀX`` on and right of its diagonal panels, and every ``XᵀY`` with it."""
        q, c = x.shape[1], self._classes
        wide = torch.cat([x, *labels.values()], dim=1)
        for start in range(0, q, PANEL):
            columns = slice(start, start + PANEL)
            found = wide[:, columns].T @ wide[:, start:]
            self._gram[columns, start:] += found[:, : q - start]
            for place, name in enumerate(labels):
                left = q - start + place * c
                self._labels[name][0][columns] += found[:, left : left + c]

    def gram(self) -> Tensor:
        """``XᵀX``, ``(q, q)``."""
        if not self._panels:
            return self._gram
        upper = self._gram.triu()
        return upper + upper.triu(1).T

    def problem(self, name: str, weight: Tensor, bias: Tensor, gram: Tensor) -> HeadProblem:
        """A head with these statistics.

        Args:
            name: of the label matrix.
            weight: ``(q, C)``, float64.
            bias: ``(C,)``, float64.
            gram: what ``gram()`` gives; one for all label matrices.
        """
        cross, total, label_gram = self._labels[name]
        sums = (gram, cross, self.feature_sum, total, self.n)
        return HeadProblem(weight, bias, *sums, label_gram=label_gram)

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float64, device=self._device)
