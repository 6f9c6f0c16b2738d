"""Co-teaching and co-teaching+, against independent derivations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scipy.special import softmax
from tabled import LABELS, ONE, OTHER, cross_entropy, learnt_from, tabled

from bench.training.session import Session
from methods.co_teaching_plus import CoTeachingPlus

Planted = Callable[..., Session]


@pytest.mark.parametrize("name", ["co-teaching", "co-teaching-plus"])
def test_each_network_learns_from_the_small_losses_of_the_other(name: str, registry: Any) -> None:
    method, run = tabled(name, [ONE, OTHER], LABELS, registry)
    method.train_epoch(15)  # Co-teaching+ is still warm
    assert learnt_from(method, run) == [[1, 3, 5, 7], [0, 1, 2, 3]]


def test_all_but_the_ramps_share_is_kept_at_first(registry: Any) -> None:
    method, run = tabled("co-teaching", [ONE, OTHER], LABELS, registry)
    method.train_epoch(1)  # R = 1 - 2/10 * 0.5 = 0.9, and int(0.9 * 8) = 7
    assert learnt_from(method, run) == [[1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6]]


def test_co_teaching_plus_exchanges_only_where_predictions_differ(registry: Any) -> None:
    method, run = tabled("co-teaching-plus", [ONE, OTHER], LABELS, registry)
    differ = (ONE.argmax(1) != OTHER.argmax(1)).nonzero().flatten().tolist()
    method.train_epoch(60)
    first, second = learnt_from(method, run)
    n = len(differ) // 2
    by_loss = [
        sorted(differ, key=cross_entropy(table.numpy(), LABELS.numpy()).__getitem__)
        for table in (ONE, OTHER)
    ]
    assert 2 <= len(differ) < len(LABELS)
    assert first == sorted(by_loss[1][:n])
    assert second == sorted(by_loss[0][:n])


def test_the_sample_with_index_0_can_be_chosen(registry: Any) -> None:
    method, run = tabled("co-teaching-plus", [ONE, OTHER], LABELS, registry)
    method.train_epoch(60)
    assert 0 in learnt_from(method, run)[1]  # the smallest loss of the first network


def test_co_teaching_plus_applies_the_soft_max_once(registry: Any) -> None:
    method, run = tabled("co-teaching-plus", [ONE, OTHER], LABELS, registry)
    method.train_epoch(60)
    first, second = learnt_from(method, run)
    losses = [cross_entropy(table.numpy(), LABELS.numpy()) for table in (ONE, OTHER)]
    expected = losses[0][first].mean() + losses[1][second].mean()
    assert run.losses[0].item() == pytest.approx(expected, rel=1e-9)
    twice = [
        cross_entropy(softmax(table.numpy(), axis=1), LABELS.numpy()) for table in (ONE, OTHER)
    ]
    assert run.losses[0].item() != pytest.approx(twice[0][first].mean() + twice[1][second].mean())


@pytest.mark.parametrize(("dataset", "epochs"), [("cifar10", 20), ("cifar100", 5)])
def test_co_teaching_plus_warms_up_as_long_as_its_authors(
    dataset: str, epochs: int, registry: Any
) -> None:
    params = dict(CoTeachingPlus.paper_params.get(dataset, {}))
    method, run = tabled("co-teaching-plus", [ONE, ONE], LABELS, registry, **params)
    run.n_epochs = 200
    for epoch in (epochs - 1, epochs):  # networks that agree learn in the warm-up alone
        method.train_epoch(epoch)
    assert len(run.losses) == 1
