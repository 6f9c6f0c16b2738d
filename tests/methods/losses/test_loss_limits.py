"""What each loss turns into at the ends of its parameters, and how large it can get."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from loss_table import LossCase, Params, bound, every_label, variants
from torch import Tensor

from methods.agce import agce
from methods.bootstrap_hard import bootstrap_hard
from methods.bootstrap_soft import bootstrap_soft
from methods.ce import ce
from methods.focal import focal
from methods.gce import gce
from methods.label_smoothing import label_smoothing
from methods.logit_clip import logit_clip
from methods.mae import mae
from methods.nce_agce import nce_agce
from methods.nce_rce import nce_rce
from methods.sce import sce
from methods.taylor_ce import taylor_ce

Loss = Callable[[Tensor, Tensor], Tensor]

LIMITS: dict[str, tuple[Loss, Loss]] = {
    "gce q → 0 is ce": (lambda z, y: gce(z, y, q=1e-9), ce),
    "gce q = 1 is half of mae": (lambda z, y: 2 * gce(z, y, q=1.0), mae),
    "sce without β is α ce": (
        lambda z, y: sce(z, y, alpha=6.0, beta=0.0),
        lambda z, y: 6 * ce(z, y),
    ),
    "sce without α is β (-A) / 2 mae": (
        lambda z, y: sce(z, y, alpha=0.0, beta=3.0, log_zero=-4.0),
        lambda z, y: 6 * mae(z, y),
    ),
    "label smoothing ε = 0 is ce": (lambda z, y: label_smoothing(z, y, eps=0.0), ce),
    "label smoothing ε = 1 forgets the label": (
        lambda z, y: label_smoothing(z, y, eps=1.0),
        lambda z, y: label_smoothing(z, (y + 1) % z.shape[1], eps=1.0),
    ),
    "soft bootstrapping β = 1 is ce": (lambda z, y: bootstrap_soft(z, y, beta=1.0), ce),
    "soft bootstrapping β = 1 is ce, detached": (
        lambda z, y: bootstrap_soft(z, y, beta=1.0, detach=True),
        ce,
    ),
    "hard bootstrapping β = 1 is ce": (lambda z, y: bootstrap_hard(z, y, beta=1.0), ce),
    "hard bootstrapping β = 0 trusts the prediction": (
        lambda z, y: bootstrap_hard(z, y, beta=0.0),
        lambda z, y: ce(z, z.argmax(1)),
    ),
    "focal γ = 0 is ce": (lambda z, y: focal(z, y, gamma=0.0), ce),
    "taylor t = 1 is half of mae": (lambda z, y: 2 * taylor_ce(z, y, t=1), mae),
    "logit clip of large τ is ce": (lambda z, y: logit_clip(z, y, tau=1e6), ce),
    "agce q = 1 is half of mae": (lambda z, y: 2 * agce(z, y, a=3.0, q=1.0), mae),
    "agce a → 0 is gce": (lambda z, y: agce(z, y, a=1e-12, q=0.7), gce),
    "nce-agce without α is β agce": (
        lambda z, y: nce_agce(z, y, alpha=0.0, beta=4.0, a=0.6, q=0.6),
        lambda z, y: 4 * agce(z, y),
    ),
    "nce-rce without α is β (-A) / 2 mae": (
        lambda z, y: nce_rce(z, y, alpha=0.0, beta=0.5, log_zero=-4.0),
        mae,
    ),
    "both active-passive losses have the same active part": (
        lambda z, y: nce_agce(z, y, alpha=10.0, beta=0.0),
        lambda z, y: nce_rce(z, y, alpha=10.0, beta=0.0),
    ),
}


@pytest.mark.parametrize(("left", "right"), LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("k", [3, 10])
def test_limit(left: Loss, right: Loss, k: int) -> None:
    logits, targets = every_label(k)
    torch.testing.assert_close(left(logits, targets), right(logits, targets), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("left", "right"), LIMITS.values(), ids=LIMITS)
def test_limit_of_the_gradient(left: Loss, right: Loss) -> None:
    logits, targets = every_label(10)
    logits.requires_grad_()
    gradients = [torch.autograd.grad(f(logits, targets).sum(), logits)[0] for f in (left, right)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-8)


def test_taylor_rises_to_ce_with_its_order() -> None:
    logits, targets = every_label(3)
    known = ce(logits, targets) < 5  # the tail of the series is about (1 - p)^t
    orders = [taylor_ce(logits, targets, t=t)[known] for t in (1, 2, 4, 8, 4000)]
    for lower, higher in pairwise(orders):
        assert (lower <= higher).all()
    torch.testing.assert_close(orders[-1], ce(logits, targets)[known], rtol=1e-9, atol=1e-12)


def test_taylor_of_order_two_is_between_mae_and_mse() -> None:
    """Property 2 of the paper: (1 - p)²/2 is at most half the squared distance."""
    logits, targets = every_label(10)
    distance = (logits.softmax(1) - torch.eye(10, dtype=torch.float64)[targets]).square().sum(1)
    twice = 2 * taylor_ce(logits, targets, t=2)
    assert (mae(logits, targets) <= twice).all()
    assert (twice <= mae(logits, targets) + distance + 1e-12).all()


def _wide(k: int) -> Tensor:
    draws = torch.Generator().manual_seed(1)
    spread = torch.logspace(-2, 3, 60, dtype=torch.float64)[:, None]
    drawn = spread * torch.randn(60, k, generator=draws, dtype=torch.float64)
    return torch.cat([drawn, -1e4 * torch.eye(k, dtype=torch.float64)])


@variants()
@pytest.mark.parametrize("k", [2, 3, 10, 100])
def test_bounded_below_by_zero_and_above_by_the_bound(
    case: LossCase, params: Params, k: int
) -> None:
    logits = _wide(k)
    losses = case.function(
        logits.repeat_interleave(k, 0), torch.arange(k).repeat(len(logits)), **params
    )
    assert losses.min() >= -1e-12
    if (most := bound(case, params, k)) is not None:
        assert losses.max() <= most * (1 + 1e-12)


@variants(lambda case, params: bool(bound(case, params)) and case.function is not logit_clip)
def test_the_bound_is_nearly_reached(case: LossCase, params: Params) -> None:
    """Where the given label has no share, and the others equal ones; logit-clip's is not tight."""
    worst = case.function(_wide(10)[-1:], torch.tensor([9]), **params)
    most = bound(case, params)
    assert most is not None
    assert float(worst) > 0.99 * most


@variants(lambda case, params: bound(case, params) is None)
def test_the_others_grow_without_end(case: LossCase, params: Params) -> None:
    """As fast as the logits do, so that a few wrong labels can outweigh all others."""
    logits = torch.tensor([[0.0, 0.0, 100.0], [0.0, 0.0, 10_000.0]], dtype=torch.float64)
    small, large = case.function(logits, torch.zeros(2, dtype=torch.int64), **params).tolist()
    assert large > 50 * small > 0


@pytest.mark.parametrize("tau", [0.1, 1.0, 1.5, 5.0])
@pytest.mark.parametrize("k", [2, 10, 100])
def test_logit_clip_is_within_the_papers_bounds(tau: float, k: int) -> None:
    """Each clipped logit is within ±τ, so that differences are within ±2τ."""
    for y in (0, k - 1):
        losses = logit_clip(_wide(k), torch.full((60 + k,), y), tau=tau)
        assert losses.min() >= math.log1p((k - 1) * math.exp(-2 * tau))
        assert losses.max() <= math.log1p((k - 1) * math.exp(2 * tau))
