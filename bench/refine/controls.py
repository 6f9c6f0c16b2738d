"""What LIP must beat: heads changed without LIP's idea, so that a gain can be explained."""

from __future__ import annotations

import torch

from bench.api import HeadPath, HeadProblem, RankRule, Refiner
from bench.refine.lip import calibration, centred_refit, decompose, steps


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
