"""JoCoR: the joint loss and the samples it keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import log_softmax, softmax
from tabled import cross_entropy, learnt_from, tabled
from torch import Tensor

from bench.training.session import Session
from methods.jocor import JoCoR, joint_loss

Planted = Callable[..., Session]


def two_tables(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    one, other = (2 * torch.randn(9, 5, dtype=torch.float64, generator=rng) for _ in range(2))
    return one, other, torch.randint(0, 5, (9,), generator=rng)


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.85, 1.0])
def test_the_joint_loss_is_its_formula(lam: float) -> None:
    one, other, labels = two_tables()
    a, b = one.numpy(), other.numpy()
    p, q = softmax(a, axis=1), softmax(b, axis=1)
    forth = (p * np.log(p / q)).sum(1)
    back = (q * np.log(q / p)).sum(1)
    both = cross_entropy(a, labels.numpy()) + cross_entropy(b, labels.numpy())
    found = joint_loss(one, other, labels, lam).numpy()
    np.testing.assert_allclose(found, (1 - lam) * both + lam * (forth + back), rtol=1e-9)


def test_the_joint_loss_treats_both_networks_alike() -> None:
    one, other, labels = two_tables()
    torch.testing.assert_close(
        joint_loss(one, other, labels, 0.7), joint_loss(other, one, labels, 0.7)
    )


def test_the_joint_loss_has_the_right_gradient_in_both_networks() -> None:
    one, other, labels = two_tables()
    one.requires_grad_()
    other.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: joint_loss(a, b, labels, 0.9), (one, other))


def test_the_joint_loss_is_finite_for_sure_predictions() -> None:
    one = torch.tensor([[200.0, 0.0, -200.0]], requires_grad=True)
    loss = joint_loss(one, -one.detach(), torch.tensor([2]), 0.9)
    (gradient,) = torch.autograd.grad(loss.sum(), one)
    assert bool(torch.isfinite(loss).all() & torch.isfinite(gradient).all())


def test_jocor_steps_both_networks_on_the_same_small_joint_losses(registry: Any) -> None:
    one, other, labels = two_tables(3)
    method, run = tabled("jocor", [one, other], labels, registry, rate=0.4, lam=0.85)
    method.train_epoch(40)
    a, b = (log_softmax(t.numpy(), axis=1) for t in (one, other))
    rows = np.arange(9)
    ce = -a[rows, labels.numpy()] - b[rows, labels.numpy()]
    kl = F.kl_div(torch.from_numpy(a), torch.from_numpy(b), reduction="none", log_target=True)
    lk = F.kl_div(torch.from_numpy(b), torch.from_numpy(a), reduction="none", log_target=True)
    losses = 0.15 * ce + 0.85 * (kl + lk).sum(1).numpy()
    small = np.argsort(losses)[: int(0.6 * 9)]
    assert learnt_from(method, run) == [sorted(small.tolist())] * 2
    assert run.losses[0].item() == pytest.approx(losses[small].mean(), rel=1e-9)


def test_jocors_lambda_is_that_of_its_authors() -> None:
    assert JoCoR.paper_params == {"cifar10": {"lam": 0.9}, "cifar100": {"lam": 0.85}}
