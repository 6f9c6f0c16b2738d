"""Decoupling: it learns where its networks disagree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tabled import LABELS, ONE, OTHER, cross_entropy, learnt_from, logits_for, tabled

from bench.training.session import Session
from methods.decoupling import Decoupling

Planted = Callable[..., Session]


def test_decoupling_learns_from_all_disagreement_and_nothing_else(registry: Any) -> None:
    method, run = tabled("decoupling", [ONE, OTHER], LABELS, registry)
    method.train_epoch(0)
    differ = (ONE.argmax(1) != OTHER.argmax(1)).nonzero().flatten().tolist()
    assert 0 < len(differ) < len(LABELS)
    assert learnt_from(method, run) == [differ, differ]
    losses = [cross_entropy(table.numpy(), LABELS.numpy())[differ].mean() for table in (ONE, OTHER)]
    assert run.losses[0].item() == pytest.approx(sum(losses), rel=1e-6)


def test_decoupling_learns_from_everything_where_everything_differs(registry: Any) -> None:
    tables = [F.one_hot(LABELS, 4).double(), F.one_hot(LABELS.roll(1), 4).double()]
    method, run = tabled("decoupling", tables, LABELS, registry)
    method.train_epoch(0)
    assert learnt_from(method, run) == [list(range(8)), list(range(8))]


def test_one_lone_sample_does_not_make_a_full_step(registry: Any) -> None:
    labels = torch.zeros(40, dtype=torch.int64)
    one = logits_for(labels, [0.1] * 40)
    other = one.clone()
    other[7] = one[7].roll(1)
    method, run = tabled("decoupling", [one, other], labels, registry)
    method.train_epoch(0)
    losses = [cross_entropy(t.numpy(), labels.numpy())[7] for t in (one, other)]
    assert run.losses[0].item() == pytest.approx(sum(losses) / 4, rel=1e-6)  # a tenth of 40


def test_decoupling_is_told_nothing() -> None:
    assert not Decoupling.knows
