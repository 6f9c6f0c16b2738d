"""LIP's variants: other labels, held-out labels, and dual weights."""

from __future__ import annotations

from dataclasses import replace

import torch

from bench.api import HeadPath, HeadProblem, RankRule, Refiner
from bench.errors import BenchError
from bench.refine.lip import Lip, decompose, refit, steps


class LipBelief(Lip):
    """LIP with the labels that the method has come to believe, instead of those given.

    Y is the method's ``label_belief()``: its corrected or smoothed targets, or the confidences in
    candidates. Where a method believes the given labels this is ``lip``.
    """

    name = "lip-belief"
    paper = "this project, after Si et al., arXiv 2505.16159"
    uses_belief = True


class LipKernel(Lip):
    """LIP on dual weights: the fitted intercept is kept, and subtracted from the labels.

    The kernel matrix K takes the place of X, and the dual weight ``(n, C)`` that of W. Outputs of a
    kernel method are on the scale of its targets, so that the re-fitted values are as well. On the
    solution of ``(K + λ I) A = Y - 1 bᵀ`` this multiplies the tail by ``1 + λ uᵀKu / ‖K u‖²``, the
    un-shrinking of a primal ridge head in other terms. On a head without intercept this is ``lip``.
    """

    name = "lip-kernel"
    paper = "Si et al., arXiv 2505.16159, 2025, stand-alone methods"

    def path(self, problem: HeadProblem) -> HeadPath:
        """As ``lip`` on ``Y - 1 bᵀ``."""
        cross = problem.cross - torch.outer(problem.feature_sum, problem.bias)
        return super().path(replace(problem, cross=cross))


class LipCrossfit(Refiner):
    """LIP with singular values re-fitted to samples that the head was not trained on, shrunk.

    ``s*_j = ⟨X_v u_j, Y_v v_j⟩ / (‖X_v u_j‖² + ρ_j)`` on held-out samples. A direction that is only
    noise has no inner product there, and shrinks by itself. ρ_j = σ_j² / t_j², with the mean square
    σ_j² of what the direction leaves of the held-out labels Y_v v_j, and t_j the value that ``lip``
    re-fits on the training samples, makes s*_j the posterior mean under a normal prior of size t_j;
    where t_j is 0, so is s*_j. A direction that the held-out features do not reach keeps its
    trained value. Half of the held-out samples judge k on the values of the other half, and the
    other way round; the head uses all. Not in the paper: a variant of this project.
    """

    name = "lip-crossfit"
    paper = "this project, after Si et al., arXiv 2505.16159"
    uses_held_out = True
    k: RankRule = "noisy-val"

    def path(self, problem: HeadProblem) -> HeadPath:
        """Heads for k = 0..rank; k = rank is the trained head."""
        held = problem.held
        if held is None or held.label_gram is None:
            raise BenchError("lip-crossfit needs the statistics of held-out samples")
        left, values, right = decompose(problem)
        size = refit(problem.gram, problem.cross, left, values, right)
        inner = ((held.cross.T @ left) * right).sum(0)
        square = ((held.gram @ left) * left).sum(0)
        floor = torch.finfo(square.dtype).eps * held.gram.trace()
        reached = square > floor
        safe = torch.where(reached, square, torch.ones_like(square))
        total = ((held.label_gram @ right) * right).sum(0)
        variance = (total - inner.square() / safe).clamp_min(0) / max(held.n, 1)
        # Both sides multiplied by t_j², so that a t_j of 0 needs no division.
        prior = size.square()
        below = safe * prior + variance
        fitted = inner * prior / torch.where(below > 0, below, torch.ones_like(below))
        tail = torch.where(reached, fitted, values)
        scale = steps(values, tail)
        return HeadPath(
            ks=tuple(range(len(scale))),
            left=left,
            right=right,
            scale=scale,
            bias=problem.bias.expand(len(scale), -1),
            diagnostics={"refitted": tail},
        )
