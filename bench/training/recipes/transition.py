"""The matrix P(given | true) learned from wrong labels alone, and what is done with one.

Everywhere ``T[i, j] = P(given j | true i)``, so that rows are true classes and sum to 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from bench.api import Run


def noisy_posterior(run: Run, share: float) -> Tensor:
    """``P(given | x)`` of all training samples, ``(n, C)`` float64, from a network of its own.

    The network is trained by cross entropy on the given labels for a share of the run's epochs (at
    least one) under the common protocol, and dropped.
    """
    network = run.new_network("estimator")
    every = torch.arange(run.n, device=run.device)
    run.fit(network, every, max(1, round(share * run.n_epochs)))
    return run.predict(network).double().softmax(1)


@torch.no_grad()
def anchors(posterior: Tensor, quantile: float) -> Tensor:
    """``T`` from the most typical sample of every class (Patrini et al. 2017, section 4.1).

    Row i is the posterior at ``argmax_x p_i(x)``, where values at or above the ``quantile`` of
    column i are outliers and left out (1 leaves none out). Each class looks at the posterior as it
    is: what is left out for one class stays there for the next.

    Args:
        posterior: ``(n, C)``, rows sum to 1.
        quantile: 0.97 in the paper's code, and 1 for CIFAR-100.
    """
    typical = posterior
    if quantile < 1:
        rank = math.ceil(quantile * (len(posterior) - 1)) + 1  # numpy's method "higher"
        threshold = posterior.kthvalue(rank, dim=0).values
        inside = posterior < threshold
        # A column whose values are all equal has no outliers.
        typical = posterior.masked_fill(~inside & inside.any(0), -1.0)
    rows = posterior[typical.argmax(0)]
    return rows / rows.sum(1, keepdim=True)


@torch.no_grad()
def counted(posterior: Tensor, labels: Tensor) -> Tensor:
    """``P(given j | predicted i)`` by counting, ``(C, C)``; a class never predicted keeps itself."""
    classes = posterior.shape[1]
    cell = posterior.argmax(1) * classes + labels
    counts = torch.bincount(cell, minlength=classes**2).view(classes, classes).to(posterior.dtype)
    totals = counts.sum(1, keepdim=True)
    own = torch.eye(classes, dtype=posterior.dtype, device=posterior.device)
    return torch.where(totals > 0, counts / totals.clamp_min(1), own)


def forward_loss(logits: Tensor, labels: Tensor, matrix: Tensor) -> Tensor:
    """``-log (pᵀT)_y`` of every sample, ``(b,)``."""
    given = logits.softmax(1) @ matrix
    return F.nll_loss(given.clamp_min(1e-12).log(), labels, reduction="none")


@torch.no_grad()
def truth(logits: Tensor, labels: Tensor, matrix: Tensor) -> Tensor:
    """``P(true i | x, given y)``, which is proportional to ``p_i(x) T[i, y]``, ``(n, C)``."""
    return (logits.log_softmax(1) + matrix.clamp_min(1e-12).log()[:, labels].T).softmax(1)
