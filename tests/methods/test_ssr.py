"""What SSR claims."""

from __future__ import annotations

from collections.abc import Callable

import torch
from planted_labels import right, trained
from torch.nn import functional as F

from bench.training.session import Session

Planted = Callable[..., Session]


def test_ssr_relabels_only_above_the_threshold(planted: Planted) -> None:
    session = planted("ssr", relabel_above=0.9)
    p = torch.full((session.run.n, 4), 0.02)
    wanted = (session.run.labels + 1) % 4
    p[torch.arange(session.run.n), wanted] = 0.94
    p[::2] = 0.25
    labels = session.method.relabelled(p)
    assert torch.equal(labels[1::2], wanted[1::2])
    assert torch.equal(labels[::2], session.run.labels[::2])


def test_ssr_selects_labels_that_neighbours_support(planted: Planted) -> None:
    session = planted("ssr", neighbours=10)
    features = F.one_hot(session._train_true, 4).float()
    features += 0.01 * torch.randn(features.shape, generator=torch.Generator().manual_seed(0))
    chosen = torch.zeros(session.run.n, dtype=torch.bool)
    chosen[session.method.selected(features)] = True
    assert right(session)[chosen].float().mean() > 0.95
    assert chosen[right(session)].float().mean() > 0.95


def test_ssr_corrects_planted_labels(planted: Planted) -> None:
    session = trained(planted("ssr", epochs=30, relabel_above=0.7, neighbours=18))
    changed = session.method.labels != session.run.labels
    assert changed.sum() > 5
    corrected = session.method.labels == session._train_true
    assert corrected[changed].float().mean() > 0.8
