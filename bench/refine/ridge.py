"""A control: another read-out of the same features."""

from __future__ import annotations

from typing import Annotated

import torch

from bench.api import Field, HeadPath, HeadProblem, Refiner
from bench.errors import BenchError
from bench.refine.controls import single


class RidgeReadOut(Refiner):
    """A new linear read-out of the same features, by ridge regression; the trained head is dropped.

    ``W = (Xc'Xc + λ I)⁻¹ Xc'Yc`` on centred features and labels with a free intercept; λ is
    ``strength`` times the mean eigenvalue. What it gains the features had, not the head's subspace.
    """

    name = "ridge"
    has_rank = False
    strength: Annotated[float, Field(gt=0)] = 0.01

    def path(self, problem: HeadProblem) -> HeadPath:
        """One head."""
        mean, prior = problem.feature_sum / problem.n, problem.label_sum / problem.n
        gram = problem.gram - problem.n * torch.outer(mean, mean)
        cross = problem.cross - problem.n * torch.outer(mean, prior)
        if not (bool(torch.isfinite(gram).all()) and bool(torch.isfinite(cross).all())):
            raise BenchError("ridge: the features hold NaN or infinity")
        ridge = self.strength * gram.trace() / len(gram)
        ridge = torch.where(ridge > 0, ridge, torch.ones_like(ridge))
        eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        weight = torch.linalg.solve(gram + ridge * eye, cross)
        return single(weight, prior - mean @ weight)
