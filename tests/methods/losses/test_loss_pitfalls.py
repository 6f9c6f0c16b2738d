"""One test for each error of official code that METHODS lists for this group of losses.

The detached weight of focal loss and the target of bootstrapping are in test_loss_gradients.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch
from loss_table import LOSSES, LossCase, every_label

from bench.params import resolve
from bench.registry import Registry
from methods.agce import agce
from methods.ce import ce
from methods.gce import gce
from methods.label_smoothing import label_smoothing
from methods.logit_clip import logit_clip
from methods.mae import mae
from methods.nce_rce import nce_rce
from methods.sce import sce

DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "gce": {"cifar10": {"q": 0.7}, "cifar100": {"q": 0.7}},
    "sce": {"cifar10": {"alpha": 0.1, "beta": 1.0}, "cifar100": {"alpha": 6.0, "beta": 0.1}},
    "focal": {"cifar10": {"gamma": 0.5}, "cifar100": {"gamma": 0.5}},
    "nce-rce": {"cifar10": {"alpha": 1.0, "beta": 1.0}, "cifar100": {"alpha": 10.0, "beta": 0.1}},
    "agce": {"cifar10": {"a": 0.6, "q": 0.6}, "cifar100": {"a": 0.6, "q": 0.6}},
    "nce-agce": {
        "cifar10": {"alpha": 1.0, "beta": 4.0, "a": 6.0, "q": 1.5},
        "cifar100": {"alpha": 10.0, "beta": 0.1, "a": 1.8, "q": 3.0},
    },
    "label-smoothing": {"cifar10": {"eps": 0.1}},
    "taylor-ce": {"cifar10": {"t": 2}},
    "bootstrap-soft": {"cifar10": {"beta": 0.95, "detach": False}},
    "bootstrap-hard": {"cifar10": {"beta": 0.8}},
    "logit-clip": {"cifar10": {"tau": 1.5}},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_those_of_the_sources(registry: Registry, name: str) -> None:
    info = registry.get("method", name)
    for dataset, expected in DEFAULTS[name].items():
        found = info.resolve(info.declared["paper_params"].get(dataset, {}))
        assert expected.items() <= found.items(), dataset


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
def test_every_variant_is_within_the_declared_ranges(case: LossCase) -> None:
    for params in case.variants:
        assert resolve(case.plugin.parameters(), params).items() >= params.items()


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
def test_the_docstring_says_what_it_costs_and_is_told(case: LossCase) -> None:
    text = inspect.getdoc(case.function) or ""
    summary, blank = text.splitlines()[:2]
    assert summary.endswith(".")
    assert not blank
    assert "Told nothing" in text
    assert "one forward and backward pass" in " ".join(text.split())
    assert case.plugin.knows == frozenset()
    assert case.plugin.cost == 1.0


@pytest.mark.parametrize("tau", [0.5, 1.5, 4.0])
def test_logit_clip_clips_to_tau_where_the_norm_is_above_tau(tau: float) -> None:
    """The authors' code compares with ``temp`` and clips to ``1 / temp``."""
    logits, targets = every_label(10)
    norm = logits.norm(dim=1, keepdim=True)
    clipped = torch.where(norm >= tau, tau * logits / norm, logits)
    assert (clipped.norm(dim=1) <= tau + 1e-12).all()
    found = logit_clip(logits, targets, tau=tau)
    torch.testing.assert_close(found, ce(clipped, targets))
    theirs = torch.where(norm > tau, logits / norm / tau, logits)
    assert not torch.allclose(found, ce(theirs, targets))


def test_logit_clip_leaves_short_logits_alone_and_scales_long_ones_away() -> None:
    logits, targets = torch.tensor([[0.3, -0.2, 0.5]], dtype=torch.float64), torch.tensor([1])
    torch.testing.assert_close(logit_clip(logits, targets), ce(logits, targets), rtol=0, atol=0)
    long = logit_clip(100 * logits, targets)
    torch.testing.assert_close(long, logit_clip(7000 * logits, targets))
    assert (100 * logits).argmax() == logits.argmax()


def test_logit_clip_has_no_gradient_along_clipped_logits() -> None:
    """The norm is part of the graph: growing the logits no longer changes the loss."""
    logits = torch.tensor([[3.0, -2.0, 5.0]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(logit_clip(logits, torch.tensor([1])).sum(), logits)
    assert gradient.abs().max() > 1e-3
    assert (gradient * logits).sum().abs() < 1e-12


def test_mae_has_the_papers_factor_of_two() -> None:
    logits, targets = torch.zeros(1, 4), torch.tensor([2])
    torch.testing.assert_close(mae(logits, targets), torch.tensor([1.5]))


def test_gce_is_not_truncated() -> None:
    """Truncated GCE is constant, (1 - k^q) / q, below p = k; this one goes on rising."""
    logits = torch.tensor([[0.0, 2.0], [0.0, 3.0]])
    low, lower = gce(logits, torch.zeros(2, dtype=torch.int64)).tolist()
    assert lower > low > (1 - 0.5**0.7) / 0.7


def test_sce_counts_log_zero_as_released_code_does() -> None:
    """RCE of a sample without any share at its label is -ln 1e-4 = 9.21, not 4."""
    logits = torch.tensor([[-1e4, 0.0, 0.0]], dtype=torch.float64)
    rce = sce(logits, torch.tensor([0]), alpha=0.0, beta=1.0)
    assert float(rce) == pytest.approx(-math.log(1e-4))


def test_rce_of_nce_rce_is_not_normalised() -> None:
    """The authors' normalised RCE scales by (K - 1) / 4 for want of a bracket: 24.75 at K = 100."""
    logits, targets = torch.zeros(1, 100, dtype=torch.float64), torch.tensor([5])
    rce = float(nce_rce(logits, targets, alpha=0.0))
    assert rce == pytest.approx(-math.log(1e-4) * 0.99)


def test_label_smoothing_is_cross_entropy_not_divergence() -> None:
    """KL, as in GJS's code, is 0 where p is the smoothed target; this loss is its entropy."""
    target = torch.tensor([[0.8 + 0.2 / 3, 0.2 / 3, 0.2 / 3]], dtype=torch.float64)
    found = label_smoothing(target.log(), torch.tensor([0]), eps=0.2)
    torch.testing.assert_close(found, -(target * target.log()).sum(1))


def test_agce_rises_more_slowly_where_the_label_has_no_share() -> None:
    """The slope (a + p)^(q - 1) is finite at p = 0 for q < 1; that of gce is not."""
    p = torch.tensor([1e-12, 1e-9], dtype=torch.float64)
    logits = torch.stack([p.log(), (1 - p).log()], 1)
    targets = torch.zeros(2, dtype=torch.int64)
    slope = -agce(logits, targets).diff() / p.diff()
    assert float(slope) == pytest.approx(0.6 ** (0.6 - 1), rel=1e-3)
    assert float(-gce(logits, targets).diff() / p.diff()) > 100
