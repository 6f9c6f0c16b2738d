"""Gradients of losses inside stateful methods against finite differences, float64."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck

from bench.api import Batch
from bench.training.recipes.matching import contrastive_loss, mixmatch_loss, prior_penalty
from bench.training.recipes.mixing import soft_cross_entropy
from bench.training.recipes.transition import forward_loss
from methods.backward import Backward
from methods.cores import penalties
from methods.elr_plus import ELRPlus
from methods.peer_loss import bounded_ce
from methods.volminnet import VolMinNet

ROWS, CLASSES = 5, 4
Scalar = Callable[[Tensor], Tensor]


def logits(seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(0, 1.5, (ROWS, CLASSES))).requires_grad_()


def shares(seed: int = 1, rows: int = ROWS) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(CLASSES), rows))


LABELS = torch.tensor([0, 1, 2, 3, 1])
MATRIX = 0.6 * torch.eye(CLASSES, dtype=torch.float64) + 0.4 * shares(2, CLASSES)


def backward_loss(z: Tensor) -> Tensor:
    method: Any = Backward()
    method.networks = (lambda x: x,)
    method.inverse = torch.linalg.inv(MATRIX)
    loss: Tensor = method.loss(Batch(z, LABELS, torch.arange(ROWS)))
    return loss


def volume_loss(z: Tensor, w: Tensor) -> Tensor:
    method: Any = VolMinNet(lam=0.3)
    method.run = SimpleNamespace(n_classes=CLASSES, device=torch.device("cpu"))
    method.networks = (lambda x: x,)
    method.w = w
    loss: Tensor = method.loss(Batch(z, LABELS, torch.arange(ROWS)))
    return loss


def elr_plus_objective(z: Tensor) -> Tensor:
    method = ELRPlus(lam=3.0)
    return method.objective(z, shares(3), 0.8 * shares(4), 0.5)


def unmixed(z: Tensor) -> Tensor:
    """MixMatch with the first three rows trusted; Beta of a vanishing parameter mixes nothing."""
    return mixmatch_loss(
        lambda x: x,
        (z[:3], shares(5, 3)),
        (z[3:], shares(6, 2)),
        alpha=1e-6,
        weight_untrusted=7.0,
        draws=torch.Generator().manual_seed(0),
    )


FUNCTIONS: dict[str, Scalar] = {
    "forward": lambda z: forward_loss(z, LABELS, MATRIX),
    "backward": backward_loss,
    "cores": lambda z: F.cross_entropy(z, LABELS) - 2 * (penalties(z) * shares(7, 1)).sum(1),
    "peer loss": lambda z: bounded_ce(z, LABELS) - bounded_ce(z.roll(1, 0), LABELS.roll(2)),
    "soft targets": lambda z: soft_cross_entropy(z, shares()),
    "entropy": lambda z: soft_cross_entropy(z, z.softmax(1)),
    "prior": prior_penalty,
    "elr-plus": elr_plus_objective,
    "mixmatch": unmixed,
    "contrast": lambda z: contrastive_loss(z, z.flip(0) ** 2, 0.5),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    assert gradcheck(FUNCTIONS[name], (logits(),), atol=1e-6)


def test_volminnets_gradient_reaches_network_and_matrix() -> None:
    w = torch.from_numpy(np.random.default_rng(8).normal(-1, 1, (CLASSES, CLASSES)))
    assert gradcheck(volume_loss, (logits(), w.requires_grad_()))


@pytest.mark.parametrize("label", range(CLASSES))
def test_backward_corrected_gradients_average_to_that_of_the_true_label(label: int) -> None:
    """Theorem 1 for gradients: over the given label's distribution it is p minus the one-hot."""
    z = logits()
    method: Any = Backward()
    method.networks = (lambda x: x,)
    method.inverse = torch.linalg.inv(MATRIX)
    total = torch.zeros_like(z)
    for given in range(CLASSES):
        labels = torch.full((ROWS,), given)
        losses = method.loss(Batch(z, labels, torch.arange(ROWS)))
        total += MATRIX[label, given] * torch.autograd.grad(losses.sum(), z)[0]
    e = np.exp(z.detach().numpy())
    expected = e / e.sum(1, keepdims=True) - np.eye(CLASSES)[label]
    np.testing.assert_allclose(total.numpy(), expected, atol=1e-9)
