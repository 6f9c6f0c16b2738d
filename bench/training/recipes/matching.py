"""Semi-supervised learning on a trusted and an untrusted part, as noisy-label methods do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.training.recipes.mixing import mixup, sharpen, soft_cross_entropy


@torch.no_grad()
def mean_prediction(
    networks: Sequence[Callable[[Tensor], Tensor]], views: Sequence[Tensor]
) -> Tensor:
    """Mean soft-max ``(b, C)`` of every network on every view, without gradient."""
    outputs = [network(view).softmax(1) for network in networks for view in views]
    return torch.stack(outputs).mean(0)


def refined(labels: Tensor, clean: Tensor, guess: Tensor, temperature: float) -> Tensor:
    """``w y + (1 - w) p``, sharpened (DivideMix, equations 3 and 4): trusted samples' targets.

    Args:
        labels: one-hot ``(b, C)``.
        clean: probability ``(b,)`` that a label is right.
        guess: prediction ``(b, C)``.
        temperature: of the sharpening.
    """
    w = clean[:, None]
    return sharpen(w * labels + (1 - w) * guess, temperature)


def prior_penalty(logits: Tensor) -> Tensor:
    """KL of the uniform prior to the mean prediction: against all samples in one class.

    ``Σ_c π_c log(π_c / p̄_c)`` with π = 1/C (Tanaka et al. 2018; DivideMix, equation 11).
    """
    mean = logits.softmax(1).mean(0).clamp_min(1e-12)
    prior = 1 / len(mean)
    return (prior * (prior / mean).log()).sum()


def mixmatch_loss(
    network: Callable[[Tensor], Tensor],
    trusted: tuple[Tensor, Tensor],
    untrusted: tuple[Tensor, Tensor] | None,
    *,
    alpha: float,
    weight_untrusted: float,
    draws: torch.Generator,
    class_weights: Tensor | None = None,
    prior: bool = True,
) -> Tensor:
    """``L_X + λ_u L_U + L_reg`` (DivideMix, equations 9 to 12), a scalar.

    Both parts are mixed with a permutation of all of them together. L_X is cross entropy, L_U the
    squared error of shares (mean over classes), L_reg ``prior_penalty``.

    Args:
        network: the one that is trained.
        trusted: inputs ``(a, …)`` of all views and their shares ``(a, C)``.
        untrusted: inputs ``(u, …)`` and guessed shares ``(u, C)``, or None where there are none.
        alpha: of mixup's Beta.
        weight_untrusted: λ_u.
        draws: generator on the CPU.
        class_weights: ``(C,)``, of the cross entropy.
        prior: False leaves L_reg out.
    """
    parts = [trusted] if untrusted is None else [trusted, untrusted]
    inputs, targets = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
    x, t = mixup(inputs, targets, alpha, draws, keep_first=True)
    logits = network(x)
    a = len(trusted[0])
    wanted = t[:a] if class_weights is None else t[:a] * class_weights
    loss = soft_cross_entropy(logits[:a], wanted).mean()
    if untrusted is not None:
        loss = loss + weight_untrusted * (logits[a:].softmax(1) - t[a:]).square().mean()
    return loss + prior_penalty(logits) if prior else loss


def contrastive_loss(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """SimCLR's NT-Xent of two views' projections ``(b, d)`` (Chen et al., 2002.05709), a scalar.

    Each of the ``2 b`` projections is to be closest to its other view among all others.
    """
    z = F.normalize(torch.cat([one, other]), dim=1)
    similarity = z @ z.T / temperature
    similarity.fill_diagonal_(-torch.inf)
    b = len(one)
    partner = torch.arange(2 * b, device=z.device).roll(b)
    return F.cross_entropy(similarity, partner)
