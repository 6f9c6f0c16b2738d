"""What DivideMix claims."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from planted_labels import right, trained
from sklearn.metrics import roc_auc_score

from bench.training.session import Session

Planted = Callable[..., Session]


def improves_labels(session: Session) -> bool:
    belief = session.method.label_belief().argmax(1)
    better = (belief == session._train_true).float().mean()
    return bool(better > right(session).float().mean() + 0.1)


def test_dividemix_separates_planted_wrong_labels(planted: Planted) -> None:
    session = trained(planted("dividemix", epochs=12))
    for clean in session.method.clean:
        assert roc_auc_score(right(session).numpy(), clean.numpy()) > 0.95


def test_dividemix_refines_labels_towards_the_truth(planted: Planted) -> None:
    assert improves_labels(trained(planted("dividemix", epochs=12)))


def test_each_network_learns_from_what_the_other_trusts(planted: Planted) -> None:
    session = planted("dividemix", epochs=4)
    method, run = session.method, session.run
    trusted = {0: torch.arange(0, 40), 1: torch.arange(60, 90)}
    method.clean.zero_()
    for which, rows in trusted.items():
        method.clean[which, rows] = 0.9
    seen: list[int] = []
    method.trusted_part = lambda network, index, clean: (
        seen.extend(index.tolist()),
        type(method).trusted_part(method, network, index, clean),
    )[1]
    for which in (0, 1):
        seen.clear()
        before = [n.head.weight.clone() for n in session.networks]
        run.begin_epoch(2)
        method.match(which, 2)
        assert sorted(set(seen)) == trusted[1 - which].tolist()
        changed = [
            not torch.equal(n.head.weight, b) for n, b in zip(session.networks, before, strict=True)
        ]
        assert changed == [which == 0, which == 1]


def test_dividemix_trusting_nobody_still_learns(planted: Planted) -> None:
    session = planted("dividemix", epochs=4)
    session.method.clean.zero_()
    session.run.begin_epoch(2)
    assert math.isfinite(session.method.match(0, 2))


def test_dividemix_is_told_nothing(planted: Planted) -> None:
    assert planted("dividemix").method.told() == []
