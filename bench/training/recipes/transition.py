"""The matrix P(given | true) learned from wrong labels alone, and what is done with one.

Everywhere ``T[i, j] = P(given j | true i)``, so that rows are true classes and sum to 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.training.recipes.phases import shortened

if TYPE_CHECKING:
    from bench.api import Network, Run

LEAST_EPOCHS = 20
"""What the family's code trains its estimators for (T-Revision, Dual T), of 200 epochs."""
LARGEST_SHARE = 0.5
"""Of the run's epochs that these may take in a short run."""


def estimator(run: Run, share: float) -> Network:
    """A network trained by cross entropy on all given labels, to learn ``P(given | x)``.

    It is trained under the common protocol for a share of the run's epochs, and for 20 at least, or
    half of a run that is shorter than 40: a share of few epochs would be too short to fit anything,
    and a posterior that is not fitted gives a matrix of equal rows.
    """
    network = run.new_network("estimator")
    least = shortened(LEAST_EPOCHS, LARGEST_SHARE, run.n_epochs)
    run.fit(
        network, torch.arange(run.n, device=run.device), max(least, round(share * run.n_epochs))
    )
    return network


def posterior(run: Run, network: Network) -> Tensor:
    """``P(given | x)`` of all training samples by a network, ``(n, C)`` float64."""
    return run.predict(network).double().softmax(1)


@torch.no_grad()
def anchors(p: Tensor, quantile: float) -> Tensor:
    """``T`` from the most typical sample of every class (Patrini et al. 2017).

    Row i is p at ``argmax_x p_i(x)``, where values at or above the ``quantile`` of column i are
    outliers and left out (1 leaves none out). Each class looks at p as it is: what is left out for
    one class stays there for the next.

    Args:
        p: ``P(given | x)`` ``(n, C)``, rows sum to 1.
        quantile: 0.97 in the paper's code, and 1 for CIFAR-100.
    """
    typical = p
    if quantile < 1:
        rank = math.ceil(quantile * (len(p) - 1)) + 1  # numpy's method "higher"
        threshold = p.kthvalue(rank, dim=0).values
        inside = p < threshold
        # A column whose values are all equal has no outliers.
        typical = p.masked_fill(~inside & inside.any(0), -1.0)
    rows = p[typical.argmax(0)]
    return rows / rows.sum(1, keepdim=True)


@torch.no_grad()
def counted(p: Tensor, labels: Tensor) -> Tensor:
    """``P(given j | predicted i)`` by counting; a class that is never predicted keeps itself."""
    classes = p.shape[1]
    cell = p.argmax(1) * classes + labels
    counts = torch.bincount(cell, minlength=classes**2).view(classes, classes).to(p.dtype)
    totals = counts.sum(1, keepdim=True)
    own = torch.eye(classes, dtype=p.dtype, device=p.device)
    return torch.where(totals > 0, counts / totals.clamp_min(1), own)


def forward_loss(logits: Tensor, labels: Tensor, matrix: Tensor) -> Tensor:
    """``-log (pᵀT)_y`` of every sample, ``(b,)``."""
    given = logits.softmax(1) @ matrix
    return F.nll_loss(given.clamp_min(1e-12).log(), labels, reduction="none")


@torch.no_grad()
def truth(logits: Tensor, labels: Tensor, matrix: Tensor) -> Tensor:
    """``P(true i | x, given y)``, which is proportional to ``p_i(x) T[i, y]``, ``(n, C)``."""
    return (logits.log_softmax(1) + matrix.clamp_min(1e-12).log()[:, labels].T).softmax(1)
