"""Gradients against finite differences, float64."""

from __future__ import annotations

import pytest
import torch
from loss_table import LossCase, Params, variants
from torch import Tensor

from methods.bootstrap_soft import bootstrap_soft
from methods.ce import ce
from methods.focal import focal


def _logits(k: int) -> tuple[Tensor, Tensor]:
    """Rows of norm about 0.3, 2 and 9 (on both sides of every τ), with each label, no ties."""
    draws = torch.Generator().manual_seed(k)
    rows = torch.randn(3, k, generator=draws, dtype=torch.float64)
    rows *= torch.tensor([[0.3], [2.0], [9.0]]) / rows.norm(dim=1, keepdim=True)
    return rows.repeat_interleave(k, 0).requires_grad_(), torch.arange(k).repeat(3)


@variants(lambda case, params: not params.get("detach"))  # that is compared with fixed targets
@pytest.mark.parametrize("k", [2, 5])
def test_gradient_is_that_of_finite_differences(case: LossCase, params: Params, k: int) -> None:
    logits, targets = _logits(k)
    assert torch.autograd.gradcheck(
        lambda z: case.function(z, targets, **params), (logits,), atol=1e-7
    )


@variants(lambda case, params: case.name != "logit-clip")
def test_gradient_sums_to_zero_over_the_classes(case: LossCase, params: Params) -> None:
    """A soft-max does not see what is added to all logits; a norm does."""
    logits, targets = _logits(5)
    (gradient,) = torch.autograd.grad(case.function(logits, targets, **params).sum(), logits)
    assert gradient.sum(1).abs().max() < 1e-12


def test_a_detached_soft_target_is_a_fixed_target() -> None:
    """The gradient at z of -Σ t_k log p_k, with t worked out at z and then held."""
    logits, targets = _logits(5)
    eye = torch.eye(5, dtype=torch.float64)
    fixed = 0.3 * eye[targets] + 0.7 * logits.detach().softmax(1)

    def with_fixed(z: Tensor) -> Tensor:
        return -(fixed * z.log_softmax(1)).sum(1)

    assert torch.autograd.gradcheck(with_fixed, (logits,))
    found = bootstrap_soft(logits, targets, beta=0.3, detach=True)
    torch.testing.assert_close(found, with_fixed(logits))
    gradients = [
        torch.autograd.grad(losses.sum(), logits)[0] for losses in (found, with_fixed(logits))
    ]
    torch.testing.assert_close(*gradients)


def test_detaching_the_soft_target_leaves_cross_entropy_times_beta() -> None:
    logits, targets = _logits(5)
    gradients = [
        torch.autograd.grad(losses.sum(), logits)[0]
        for losses in (
            bootstrap_soft(logits, targets, beta=0.3, detach=True),
            0.3 * ce(logits, targets),
            bootstrap_soft(logits, targets, beta=0.3),
        )
    ]
    torch.testing.assert_close(gradients[0], gradients[1])
    assert (gradients[2] - gradients[1]).abs().max() > 0.05


def test_focal_has_a_gradient_through_its_weight() -> None:
    """Active-Passive-Losses detaches p in the weight: same value, another gradient."""
    logits, targets = _logits(5)
    detached = (1 - logits.detach().softmax(1)) ** 0.5
    weight = detached.gather(1, targets[:, None]).squeeze(1)
    other = weight * ce(logits, targets)
    torch.testing.assert_close(focal(logits, targets, gamma=0.5), other)
    gradients = [
        torch.autograd.grad(losses.sum(), logits)[0]
        for losses in (focal(logits, targets, gamma=0.5), other)
    ]
    assert (gradients[0] - gradients[1]).abs().max() > 0.05


@pytest.mark.parametrize("gamma", [0.01, 0.5, 0.99, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_focal_of_a_certain_sample_has_no_gradient(gamma: float, dtype: torch.dtype) -> None:
    """(1 - p)^γ has an infinite slope at p = 1 for γ < 1, which must not become a NaN."""
    logits = torch.tensor([[1e4, 0.0], [40.0, 0.0], [17.0, 0.0]], dtype=dtype, requires_grad=True)
    losses = focal(logits, torch.zeros(3, dtype=torch.int64), gamma=gamma)
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert torch.isfinite(gradient).all()
    assert (gradient[0] == 0).all()
    assert gradient.abs().max() < 1e-4
