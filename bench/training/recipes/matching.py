"""MixMatch on a labelled and an unlabelled batch, as the noisy-label literature uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bench.training.recipes.mixing import mixup, soft_cross_entropy


@torch.no_grad()
def mean_prediction(
    networks: Sequence[Callable[[Tensor], Tensor]], views: Sequence[Tensor]
) -> Tensor:
    """Mean soft-max ``(b, C)`` of every network on every view, without gradient."""
    outputs = [network(view).softmax(1) for network in networks for view in views]
    return torch.stack(outputs).mean(0)


def prior_penalty(logits: Tensor) -> Tensor:
    """KL of the uniform prior to the mean prediction: against all samples in one class.

    ``Σ_c π_c log(π_c / p̄_c)`` with π = 1/C (Tanaka et al. 2018; DivideMix, equation 11).
    """
    mean = logits.softmax(1).mean(0).clamp_min(1e-12)
    prior = 1 / len(mean)
    return (prior * (prior / mean).log()).sum()


def mixmatch_loss(
    network: Callable[[Tensor], Tensor],
    labelled: tuple[Tensor, Tensor],
    unlabelled: tuple[Tensor, Tensor] | None,
    *,
    alpha: float,
    weight_unlabelled: float,
    draws: torch.Generator,
) -> Tensor:
    """``L_X + λ_u L_U + L_reg`` (DivideMix, equations 9 to 12), a scalar.

    Both parts are mixed with a permutation of all of them together. L_X is cross entropy, L_U the
    squared error of shares (mean over classes), L_reg ``prior_penalty``.

    Args:
        network: the one that is trained.
        labelled: inputs ``(a, …)`` of all views and their shares ``(a, C)``.
        unlabelled: inputs ``(u, …)`` and guessed shares ``(u, C)``, or None where there are none.
        alpha: of mixup's Beta.
        weight_unlabelled: λ_u.
        draws: generator on the CPU.
    """
    parts = [labelled] if unlabelled is None else [labelled, unlabelled]
    inputs, targets = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
    x, t = mixup(inputs, targets, alpha, draws, keep_first=True)
    logits = network(x)
    a = len(labelled[0])
    loss = soft_cross_entropy(logits[:a], t[:a]).mean() + prior_penalty(logits)
    if unlabelled is not None:
        loss = loss + weight_unlabelled * (logits[a:].softmax(1) - t[a:]).square().mean()
    return loss
