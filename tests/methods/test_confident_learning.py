"""Confident learning: wrong labels are found by networks that have not seen them, and left out."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bench.training.session import Session
from methods import confident_learning
from methods.confident_learning import ConfidentLearning, find_issues

Planted = Callable[..., Session]


@pytest.fixture
def pruned(planted: Planted) -> tuple[Session, ConfidentLearning]:
    """After the first of eight epochs, with every fourth label wrong."""
    session = planted("confident-learning", epochs=8, wrong=0.25)
    next(session.epochs())
    assert isinstance(session.method, ConfidentLearning)
    return session, session.method


def test_planted_errors_are_found_and_clean_labels_kept(
    pruned: tuple[Session, ConfidentLearning],
) -> None:
    session, method = pruned
    wrong, dropped = session.run.labels != session._train_true, ~method.kept
    assert float((wrong & dropped).sum() / dropped.sum()) > 0.95  # precision
    assert float((wrong & dropped).sum() / wrong.sum()) > 0.9  # recall
    assert float((~wrong & method.kept).sum() / (~wrong).sum()) > 0.97
    belief = method.label_belief().argmax(1)
    assert float((belief == session._train_true).float().mean()) > 0.95


def test_what_is_pruned_is_not_trained_on(
    pruned: tuple[Session, ConfidentLearning], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, method = pruned
    seen: list[int] = []
    view = session.run.view

    def watched(index: torch.Tensor, kind: str = "weak") -> torch.Tensor:
        seen.extend(index.tolist())
        return view(index, kind)

    monkeypatch.setattr(session.run, "view", watched)
    next(session.epochs())
    assert sorted(seen) == method.kept.nonzero().squeeze(1).tolist()


def test_folds_are_stratified_and_follow_the_seed(planted: Planted) -> None:
    session = planted("confident-learning", folds=3)
    method = session.method
    assert isinstance(method, ConfidentLearning)
    fold, labels = method.fold_of().numpy(), session.run.labels.numpy()
    table = np.array([[((fold == f) & (labels == c)).sum() for c in range(4)] for f in range(3)])
    assert table.sum() == session.run.n
    assert (np.ptp(table, axis=0) <= 1).all()
    assert np.ptp(table.sum(axis=1)) <= 1
    assert (method.fold_of().numpy() == fold).all()


def test_a_probability_comes_from_a_network_that_has_not_seen_the_sample(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = planted("confident-learning", folds=4)
    method, run = session.method, session.run
    assert isinstance(method, ConfidentLearning)
    seen: dict[int, set[int]] = {}
    networks: list[Any] = []

    def fit(network: Any, rows: torch.Tensor, epochs: int) -> None:
        assert epochs == run.n_epochs
        seen[len(networks)] = set(rows.tolist())
        networks.append(network)

    def predict(network: Any) -> torch.Tensor:
        """Logits that tell the network: its number, for class 0."""
        logits = torch.zeros(run.n, run.n_classes)
        logits[:, 0] = float(next(i for i, made in enumerate(networks) if made is network))
        return logits

    monkeypatch.setattr(run, "fit", fit)
    monkeypatch.setattr(run, "predict", predict)
    p = method.held_out_posterior()
    asked = (p[:, 0] / p[:, 1]).log().round().int().tolist()
    assert len(networks) == 4
    for row, by in enumerate(asked):
        assert row not in seen[by]
        assert all(row in seen[other] for other in range(4) if other != by)


def test_confident_errors_agree_with_the_definition() -> None:
    rng = np.random.default_rng(0)
    labels, p = rng.integers(0, 4, 300), rng.dirichlet(np.full(4, 0.5), 300)
    thresholds = [p[labels == k, k].mean() for k in range(4)]
    expected = []
    for row, y in zip(p, labels, strict=True):
        above = [k for k in range(4) if row[k] >= thresholds[k] - 1e-6]
        guess = max(above, key=lambda k: row[k]) if above else y
        expected.append(guess != y and row.argmax() != y)
    found = find_issues(labels, p, "confident_learning")
    assert 50 < found.sum() < 250
    np.testing.assert_array_equal(found, expected)


def test_no_rule_prunes_a_label_that_the_folds_agree_with() -> None:
    rng = np.random.default_rng(1)
    labels, p = rng.integers(0, 4, 300), rng.dirichlet(np.full(4, 0.5), 300)
    for rule in ("prune_by_noise_rate", "prune_by_class", "both", "predicted_neq_given"):
        found = find_issues(labels, p, rule)
        assert found.any()
        assert not found[p.argmax(1) == labels].any()


def test_one_process_and_untouched_generators() -> None:
    # In a fresh process, because importing the library for the first time draws from `random`.
    code = """
import random
import numpy as np
random.seed(0), np.random.seed(0)
before = random.getstate(), np.random.get_state()
from methods.confident_learning import find_issues
rng = np.random.default_rng(0)
find_issues(rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60), "both")
after = random.getstate(), np.random.get_state()
assert before[0] == after[0] and before[1][2] == after[1][2]
assert (before[1][1] == after[1][1]).all()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a pool of processes")

    monkeypatch.setattr(multiprocessing, "Pool", refuse)
    rng = np.random.default_rng(0)
    find_issues(rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60), "both")


def test_all_are_kept_where_nothing_would_be(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = planted("confident-learning")
    method = session.method
    assert isinstance(method, ConfidentLearning)
    monkeypatch.setattr(confident_learning, "find_issues", lambda y, p, rule: np.ones(len(y), bool))
    method.prune(torch.full((session.run.n, 4), 0.25))
    assert bool(method.kept.all())
    assert torch.equal(method.label_belief().argmax(1), session.run.labels)


def test_classes_are_weighed_by_one_over_their_kept_share(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = planted("confident-learning", weight_classes=True)
    method, labels = session.method, session.run.labels.numpy()
    assert isinstance(method, ConfidentLearning)
    issues = (labels == 1) & (np.cumsum(labels == 1) % 2 == 0)  # every other one of class 1
    monkeypatch.setattr(confident_learning, "find_issues", lambda y, p, rule: issues)
    method.prune(torch.full((session.run.n, 4), 0.25))
    share = 1 - issues.sum() / (labels == 1).sum()
    weights = method.weights.numpy()
    np.testing.assert_allclose(weights[1] / weights[0], 1 / share, rtol=1e-5)
    np.testing.assert_allclose(weights[labels[~issues]].mean(), 1, rtol=1e-5)
