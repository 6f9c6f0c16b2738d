"""A control: LIP in directions that are not the singular ones."""

from __future__ import annotations

from typing import Annotated

import torch

from bench.api import Field, HeadPath, HeadProblem, RankRule, Refiner
from bench.refine.lip import decompose, refit, steps


class RandomBasis(Refiner):
    """LIP's operator in a random basis of the head's label space instead of the singular vectors.

    With random orthonormal v_j that span the same space, and W v_j = s_j u_j, the k largest are
    kept and the others re-fitted as LIP does it. If this gains as much, the singular subspace was
    not the reason.
    """

    name = "random-basis"
    k: RankRule = "noisy-val"
    draw: Annotated[int, Field(ge=0)] = 0

    def path(self, problem: HeadProblem) -> HeadPath:
        """Heads for k = 0..rank; k = rank is the trained head."""
        _, _, directions = decompose(problem)
        rank = directions.shape[1]
        draws = torch.Generator().manual_seed(self.draw)
        gaussian = torch.randn(rank, rank, generator=draws, dtype=torch.float64)
        right = directions @ torch.linalg.qr(gaussian).Q.to(problem.weight)
        images = problem.weight @ right
        values = images.norm(dim=0)
        order = values.argsort(descending=True)
        right, images, values = right[:, order], images[:, order], values[order]
        left = images / torch.where(values > 0, values, torch.ones_like(values))
        tail = refit(problem.gram, problem.cross, left, values, right)
        scale = steps(values, tail)
        bias = problem.bias.expand(len(scale), -1)
        return HeadPath(tuple(range(len(scale))), left, right, scale, bias)
