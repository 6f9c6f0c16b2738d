"""LIP: keep the principal subspace of a trained head, re-fit its other singular values to labels.

Source: Si, Cui, Yang, Yang, Shen, "Why Can Accurate Models Be Learned from Inaccurate
Annotations?", arXiv 2505.16159. With W = U S Vᵀ, the re-fitted value of direction j is

    s*_j = ⟨X u_j, Y v_j⟩ / ‖X u_j‖²

which does not depend on k: W_k v_j = 0 for j > k, so the authors' subtraction of X W_k drops out.
One SVD and the Gram matrices XᵀX and XᵀY therefore give the refined head for every k.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bench.api import HeadPath, HeadProblem, RankRule, Refiner
from bench.errors import BenchError

if TYPE_CHECKING:
    from torch import Tensor


def refine(weight: Tensor, features: Tensor, labels: Tensor, k: int) -> Tensor:
    """The operator of the paper at one k, as its authors' function ``lip(W, X, Y, k)``.

    Args:
        weight: trained head ``(q, l)``.
        features: training features ``(n, q)``.
        labels: training label matrix as given ``(n, l)``; one-hot or candidate sets.
        k: number of singular directions that stay as they are, ``0..rank``.

    Returns:
        The refined weight ``(q, l)``, in the dtype of ``weight``.

    Raises:
        BenchError: shapes do not fit, k is out of range, or an input holds NaN or infinity.
    """
    q, n_labels = weight.shape
    if features.shape[1] != q or labels.shape != (len(features), n_labels):
        raise BenchError(
            f"shapes do not fit: weight {tuple(weight.shape)}, features {tuple(features.shape)}, "
            f"labels {tuple(labels.shape)}; expected (q, l), (n, q), (n, l)"
        )
    rank = min(q, n_labels)
    if not 0 <= k <= rank:
        raise BenchError(f"k is {k}; it must be in 0..{rank}")
    x, y = features.double(), labels.double()
    problem = HeadProblem(
        weight=weight.double(),
        bias=torch.zeros(n_labels, dtype=torch.float64, device=weight.device),
        gram=x.T @ x,
        cross=x.T @ y,
        feature_sum=x.sum(0),
        label_sum=y.sum(0),
        n=len(x),
    )
    return Lip().path(problem).weight(k).to(weight.dtype)


def decompose(problem: HeadProblem) -> tuple[Tensor, Tensor, Tensor]:
    """Left vectors ``(q, r)``, singular values ``(r,)`` and right vectors ``(l, r)`` of the head.

    Raises:
        BenchError: an input holds NaN or infinity; the message names it.
    """
    for name in ("weight", "bias", "gram", "cross"):
        if not bool(torch.isfinite(getattr(problem, name)).all()):
            raise BenchError(f"LIP: {name} holds NaN or infinity")
    left, values, right = torch.linalg.svd(problem.weight, full_matrices=False)
    return left, values, right.T


def refit(gram: Tensor, cross: Tensor, left: Tensor, values: Tensor, right: Tensor) -> Tensor:
    """``s*`` for every direction ``(r,)``.

    A direction that the features do not reach (‖X u_j‖² below machine precision times ‖X‖²) keeps
    its trained value: nothing can be learned about it.
    """
    numerator = ((cross.T @ left) * right).sum(0)
    denominator = ((gram @ left) * left).sum(0)
    floor = torch.finfo(gram.dtype).eps * gram.trace()
    reached = denominator > floor
    return torch.where(reached, numerator / denominator.where(reached, denominator + 1), values)


def steps(values: Tensor, tail: Tensor, first: int = 0) -> Tensor:
    """Singular values for k = first..r ``(r + 1 - first, r)``: trained before k, ``tail`` after."""
    r = len(values)
    positions = torch.arange(r, device=values.device)
    ks = torch.arange(first, r + 1, device=values.device)
    return torch.where(positions[None, :] < ks[:, None], values, tail)


class Lip(Refiner):
    """LIP as published: the tail's singular values re-fitted to the labels, the bias kept.

    On a cross-entropy head the labels live on another scale than the logits, so that the re-fitted
    values are small and the operator is close to plain truncation.
    """

    name = "lip"
    paper = "Si et al., arXiv 2505.16159, 2025"
    k: RankRule = "noisy-val"

    def path(self, problem: HeadProblem) -> HeadPath:
        """Heads for k = 0..rank; k = rank is the trained head."""
        left, values, right = decompose(problem)
        tail = refit(problem.gram, problem.cross, left, values, right)
        scale = steps(values, tail)
        return HeadPath(
            ks=tuple(range(len(scale))),
            left=left,
            right=right,
            scale=scale,
            bias=problem.bias.expand(len(scale), -1),
            diagnostics={"refitted": tail},
        )


class LipCalibrated(Refiner):
    """LIP on the head's own scale: centred features and labels, the tail multiplied by τ.

    τ_k = Σ_{j≤k} s_j s*_j / Σ_{j≤k} s*_j² maps label scale to logit scale on the directions that
    are kept; the intercept is re-fitted with it. Not in the paper: a variant of this project.
    """

    name = "lip-calibrated"
    paper = "this project, after Si et al., arXiv 2505.16159"
    k: RankRule = "noisy-val"

    def path(self, problem: HeadProblem) -> HeadPath:
        """Heads for k = 1..rank; k = rank is the trained weight with a re-fitted bias."""
        left, values, right = decompose(problem)
        refitted, mean, prior = centred_refit(problem, left, values, right)
        tau = calibration(values, refitted)
        scale = steps(values, tau[:, None] * refitted, first=1)
        return HeadPath(
            ks=tuple(range(1, len(values) + 1)),
            left=left,
            right=right,
            scale=scale,
            bias=tau[:, None] * prior - ((mean @ left) * scale) @ right.T,
            diagnostics={"refitted": refitted},
        )


def centred_refit(
    problem: HeadProblem, left: Tensor, values: Tensor, right: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """``s*`` after centring X and Y, with the feature mean ``(q,)`` and the label mean ``(l,)``."""
    mean, prior = problem.feature_sum / problem.n, problem.label_sum / problem.n
    gram = problem.gram - problem.n * torch.outer(mean, mean)
    cross = problem.cross - problem.n * torch.outer(mean, prior)
    return refit(gram, cross, left, values, right), mean, prior


def calibration(values: Tensor, refitted: Tensor) -> Tensor:
    """τ_k for k = 1..r ``(r,)``: least squares of s on s* over the first k directions."""
    square = refitted.square().cumsum(0)
    tau = (values * refitted).cumsum(0) / square.clamp_min(torch.finfo(square.dtype).tiny)
    return torch.where(square > 0, tau, torch.ones_like(tau))


def effective_rank(values: Tensor) -> float:
    """Exp of the entropy of s²/Σs²; 0 for a head that is all zero."""
    energy = values.square()
    if float(energy.sum()) == 0:
        return 0.0
    share = energy / energy.sum()
    return float(torch.special.entr(share).sum().exp())
