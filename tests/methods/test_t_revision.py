"""What T-Revision claims: a slack that is learned, and weights that are constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transitions import batch, matrix, on_logits

from bench.api import Batch
from bench.training.session import Session
from methods.t_revision import TRevision

Planted = Callable[..., Session]


def revision(slack: torch.Tensor) -> TRevision:
    method = on_logits(TRevision())
    method.setup()
    method.transition = matrix()
    method.slack = slack.requires_grad_()
    return method


def test_the_slack_gets_the_gradient_of_the_reweighted_loss() -> None:
    # Pitfall: a weight wrapped as a new leaf leaves the slack without a gradient.
    start = torch.from_numpy(np.random.default_rng(5).uniform(0, 0.02, (4, 4)))
    logits, made = batch()
    method = revision(start.clone())
    method.loss(made).mean().backward()
    assert method.slack.grad is not None
    p, y, rows = logits.softmax(1).numpy(), made.y.numpy(), np.arange(30)

    def value(slack: np.ndarray[Any, Any]) -> float:
        t = matrix().numpy() + slack
        t /= t.sum(1, keepdims=True)
        weight = p[rows, y] / (p @ t)[rows, y]
        return float((weight * -np.log(p[rows, y])).mean())

    for i, j in np.ndindex(4, 4):
        shift = np.zeros((4, 4))
        shift[i, j] = 1e-6
        slope = (value(start.numpy() + shift) - value(start.numpy() - shift)) / 2e-6
        assert float(method.slack.grad[i, j]) == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_the_weight_is_a_constant_for_the_network() -> None:
    logits, made = batch()
    z = logits.clone().requires_grad_()
    method = revision(torch.zeros(4, 4, dtype=torch.float64))
    method.loss(Batch(z, made.y, made.index)).sum().backward()
    p, t = logits.softmax(1), matrix()
    rows = torch.arange(30)
    weight = p[rows, made.y] / (p @ t)[rows, made.y]
    torch.testing.assert_close(z.grad, weight[:, None] * (p - F.one_hot(made.y, 4)))


def test_revised_rows_sum_to_one_for_any_slack() -> None:
    # Pitfall: dividing by row sums along the wrong axis.
    method = revision(torch.from_numpy(np.random.default_rng(6).normal(0, 1, (4, 4))))
    revised = method.revised().detach()
    torch.testing.assert_close(revised.sum(1), torch.ones(4, dtype=torch.float64))
    assert float(revised.min()) >= 0


def test_the_slack_is_learned_in_the_last_stage_only(planted: Planted) -> None:
    session = planted("t-revision", epochs=4)
    method = session.method
    assert isinstance(method, TRevision)
    moved = [bool(method.slack.detach().abs().max() > 0) for _ in session.epochs()]
    assert moved == [False, False, True, True]
