"""Selection by small losses and by disagreement: the recipe, and what all such methods share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from tabled import LABELS, ONE, OTHER, learnt_from, tabled

from bench.training.recipes.selection import (
    belief_of_kept,
    disagreement,
    exchanged,
    keep_rate,
    small_loss_belief,
    smallest,
)
from bench.training.session import Session

Planted = Callable[..., Session]


def test_the_keep_rate_follows_the_papers_schedule() -> None:
    # 1 - min(0.4 t / 5, 0.4) by hand, and c = 2: 1 - min(0.4 t² / 10, 0.4).
    linear = [0.92, 0.84, 0.76, 0.68, 0.60, 0.60, 0.60]
    square = [0.96, 0.84, 0.64, 0.60, 0.60, 0.60, 0.60]
    assert [keep_rate(t, 0.4, 5) for t in range(7)] == pytest.approx(linear)
    assert [keep_rate(t, 0.4, 10, exponent=2) for t in range(7)] == pytest.approx(square)


@pytest.mark.parametrize("name", ["co-teaching", "co-teaching-plus", "jocor"])
@pytest.mark.parametrize(
    ("n_epochs", "kept"),
    [(200, [0.95, 0.90, 0.55, 0.50]), (4, [0.75, 0.50, 0.50, 0.50]), (1, [0.5, 0.5, 0.5, 0.5])],
)
def test_the_ramp_is_ten_epochs_but_at_most_half_of_the_run(
    name: str, n_epochs: int, kept: list[float], registry: Any
) -> None:
    method, run = tabled(name, [ONE, OTHER], LABELS, registry)
    run.n_epochs = n_epochs
    assert [method.kept_share(t) for t in (0, 1, 8, 9)] == pytest.approx(kept)


def test_the_smallest_losses_are_those_that_sorting_puts_first() -> None:
    losses = torch.from_numpy(np.random.default_rng(0).exponential(size=21))
    expected = np.argsort(losses.numpy())[: math.floor(0.7 * 21)]
    assert set(smallest(losses, 0.7).tolist()) == set(expected.tolist())


def test_at_least_one_sample_is_kept_and_of_none_none() -> None:
    assert smallest(torch.tensor([3.0, 1.0, 2.0]), 0.0).tolist() == [1]
    assert smallest(torch.empty(0), 0.5).tolist() == []


def test_losses_are_exchanged_between_the_networks() -> None:
    one, other = torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([3.0, 2.0, 1.0, 0.0])
    mine, yours = exchanged([one, other], 0.5)
    assert sorted(mine.tolist()) == [2, 3]  # small for the other
    assert sorted(yours.tolist()) == [0, 1]


def test_disagreement_is_about_classes_and_not_about_shares() -> None:
    one = torch.tensor([[3.0, 1.0], [0.1, 0.0], [0.0, 1.0]])
    other = torch.tensor([[0.1, 0.0], [0.0, 0.1], [5.0, 0.0]])
    assert disagreement([one, other]).tolist() == [False, True, True]


def test_the_belief_is_the_label_where_kept_and_the_prediction_elsewhere() -> None:
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    found = belief_of_kept(torch.tensor([True, False, True, False]), labels, logits)
    expected = softmax(logits.double().numpy(), axis=1)
    expected[[0, 2]] = np.eye(3)[[0, 2]]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    losses = torch.tensor([0.1, 9.0, 0.2, 8.0])
    assert torch.equal(small_loss_belief(losses, 0.5, labels, logits), found)


@pytest.mark.parametrize("name", ["co-teaching", "co-teaching-plus", "decoupling", "jocor"])
def test_what_is_reported_is_what_the_first_network_learns_from(name: str, registry: Any) -> None:
    method, run = tabled(name, [ONE, OTHER], LABELS, registry)
    method.train_epoch(60)
    first, _ = learnt_from(method, run)
    assert 0 < len(first) < len(LABELS)
    assert sorted(run.reported) == first


@pytest.mark.parametrize("name", ["co-teaching-plus", "decoupling"])
def test_networks_that_agree_are_left_alone(name: str, planted: Planted) -> None:
    # Equal weights and evaluation mode: the two predict the same, whatever it is.
    session = planted(name, epochs=4)
    method: Any = session.method
    one, other = session.networks
    other.load_state_dict(one.state_dict())
    one.eval()
    other.eval()
    before = [p.clone() for network in session.networks for p in network.parameters()]
    assert math.isfinite(method.train_epoch(3))
    after = [p for network in session.networks for p in network.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["co-teaching", "co-teaching-plus", "jocor"])
def test_the_belief_knows_more_true_labels_than_were_given(name: str, planted: Planted) -> None:
    session = planted(name, epochs=20, wrong=0.3)
    list(session.epochs())
    belief = session.method.label_belief()
    true = session._train_true
    given = float((session.run.labels == true).float().mean())
    assert float((belief.argmax(1) == true).float().mean()) > given + 0.1
