"""What LIP must beat: heads changed without LIP's idea, so that a gain can be explained."""

from __future__ import annotations

from typing import Annotated

import torch

from bench.api import Field, HeadPath, HeadProblem, RankRule, Refiner
from bench.errors import BenchError
from bench.refine.lip import calibration, centred_refit, decompose, refit, steps


def single(weight: torch.Tensor, bias: torch.Tensor) -> HeadPath:
    """A path of one head ``(q, C)`` with bias ``(C,)``."""
    q, n_classes = weight.shape
    return HeadPath(
        ks=(min(q, n_classes),),
        left=weight,
        right=torch.eye(n_classes, dtype=weight.dtype, device=weight.device),
        scale=torch.ones(1, n_classes, dtype=weight.dtype, device=weight.device),
        bias=bias[None],
    )


class Off(Refiner):
    """The trained head, untouched."""

    name = "off"
    has_rank = False

    def path(self, problem: HeadProblem) -> HeadPath:
        """The head itself."""
        return single(problem.weight, problem.bias)


class PrincipalSubspace(Refiner):
    """Truncation alone: the principal subspace is kept and the tail dropped, no labels used."""

    name = "psp"
    paper = "Si et al., arXiv 2505.16159, without label ambiguity purification"
    k: RankRule = "noisy-val"

    def path(self, problem: HeadProblem) -> HeadPath:
        """Heads for k = 0..rank; k = rank is the trained head."""
        left, values, right = decompose(problem)
        scale = steps(values, torch.zeros_like(values))
        bias = problem.bias.expand(len(scale), -1)
        return HeadPath(tuple(range(len(scale))), left, right, scale, bias)


class Recentre(Refiner):
    """The bias re-fitted to centred features and labels, the weight untouched."""

    name = "recentre"
    has_rank = False

    def path(self, problem: HeadProblem) -> HeadPath:
        """The trained weight with ``τ ȳ - μᵀW`` as its bias, as in ``lip-calibrated`` at k = r."""
        left, values, right = decompose(problem)
        refitted, mean, prior = centred_refit(problem, left, values, right)
        tau = calibration(values, refitted)[-1]
        return single(problem.weight, tau * prior - mean @ problem.weight)


class TailConstant(Refiner):
    """The tail multiplied by one constant, without any labels.

    On a ridge head LIP un-shrinks the tail; a factor above 1 does that too. On a cross-entropy head
    LIP nearly drops it; a factor below 1 does that.
    """

    name = "tail-constant"
    k: RankRule = "noisy-val"
    factor: Annotated[float, Field(ge=0)] = 1.5

    def path(self, problem: HeadProblem) -> HeadPath:
        """Heads for k = 0..rank; k = rank is the trained head."""
        left, values, right = decompose(problem)
        scale = steps(values, self.factor * values)
        bias = problem.bias.expand(len(scale), -1)
        return HeadPath(tuple(range(len(scale))), left, right, scale, bias)


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
