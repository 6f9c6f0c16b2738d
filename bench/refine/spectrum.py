"""The singular structure of a trained head, and how far label noise turns a ridge head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bench.records import RidgeTwins, Spectrum
from bench.refine.lip import effective_rank
from bench.stats.subspace import largest_sines

if TYPE_CHECKING:
    from torch import Tensor

    from bench.api import HeadProblem

RIDGE_STRENGTH = 0.01
"""λ of the ridge heads, as a share of the mean eigenvalue of ``XᵀX``."""

LARGEST = 2048
"""More features than this (dual heads of many samples) are not decomposed for an audit."""


def spectrum_of(
    position: int,
    given: HeadProblem,
    true: HeadProblem | None,
    label_change: float,
    refitted: dict[str, tuple[float, ...]],
) -> Spectrum:
    """Singular values and right vectors of a head, and the ridge heads on its features.

    Args:
        position: among the method's heads.
        given: the trained head, and its features with the labels as given.
        true: the same with the true labels; None where nobody knows them.
        label_change: ``||Y - Y*||²_F``.
        refitted: refiner label -> its re-fitted singular values.
    """
    _, values, right = torch.linalg.svd(given.weight, full_matrices=False)
    ridge = None
    if true is not None and len(given.gram) <= LARGEST and bool(given.gram.isfinite().all()):
        ridge = ridge_twins(given, true, label_change)
    return Spectrum(
        head=position,
        singular_values=tuple(values.tolist()),
        effective_rank=effective_rank(values),
        refitted=refitted,
        right=tuple(tuple(round(entry, 7) for entry in row) for row in right.T.tolist()),
        ridge=ridge,
    )


def ridge_twins(given: HeadProblem, true: HeadProblem, label_change: float) -> RidgeTwins:
    """Ridge heads of given and true labels on the same features, and the angles between them."""
    eigenvalues, basis = torch.linalg.eigh(given.gram)
    eigenvalues = eigenvalues.clamp_min(0)
    mean = eigenvalues.mean()
    penalty = RIDGE_STRENGTH * mean if mean > 0 else torch.ones_like(mean)
    solve = basis / (eigenvalues + penalty) @ basis.T
    (true_values, true_right), (given_values, given_right) = (
        _right_structure(solve @ problem.cross) for problem in (true, given)
    )
    return RidgeTwins(
        penalty=float(penalty),
        sigma_max=float(eigenvalues[-1].sqrt()),
        lambda_min=float(eigenvalues[0]),
        label_change=label_change,
        true_values=tuple(true_values.tolist()),
        given_values=tuple(given_values.tolist()),
        sines=tuple(largest_sines(true_right.cpu().numpy(), given_right.cpu().numpy()).tolist()),
    )


def _right_structure(weight: Tensor) -> tuple[Tensor, Tensor]:
    _, values, right = torch.linalg.svd(weight, full_matrices=False)
    return values, right.T
