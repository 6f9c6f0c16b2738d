"""CORES² and the peer loss, against independent derivations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import log_softmax, softmax
from torch import Tensor

from bench.api import Batch
from bench.training.session import Session
from methods.cores import CORES, FLOOR, passes, penalties
from methods.peer_loss import PeerLoss, bounded_ce

Planted = Callable[..., Session]


def logits_and_labels(n: int, k: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, k, dtype=torch.float64, generator=rng)
    return logits, torch.randint(0, k, (n,), generator=rng)


def one_batch(session: Session) -> tuple[Batch, list[Tensor]]:
    """The session's first batch of 32, which becomes all there is, and what is stepped on."""
    batch = next(iter(session.run.batches(0)))
    stepped: list[Tensor] = []
    session.run.batches = lambda epoch, repeat=0: iter([batch])  # type: ignore[method-assign]
    session.run.step = stepped.append  # type: ignore[method-assign]
    session.networks[0].eval()
    return batch, stepped


# ---------------------------------------------------------------------------------------- CORES


def test_the_penalties_are_cross_entropies_to_every_class() -> None:
    logits, _ = logits_and_labels(7, 5)
    expected = -log_softmax(logits.numpy(), axis=1)
    np.testing.assert_allclose(penalties(logits).numpy(), expected, atol=1e-5)


def test_what_the_regulariser_can_gain_is_bounded() -> None:
    logits = torch.tensor([[300.0, 0.0, 0.0]], requires_grad=True)
    found = penalties(logits)
    assert found.max().item() == pytest.approx(-math.log(FLOOR), rel=1e-5)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert float(gradient.abs().max()) == 0


def test_the_sieve_keeps_a_sample_iff_its_loss_is_not_above_the_mean_over_classes() -> None:
    logits, labels = logits_and_labels(200, 5)
    table = -log_softmax(logits.numpy(), axis=1)
    expected = table[np.arange(200), labels.numpy()] <= table.mean(1)
    assert 0 < expected.sum() < 200
    assert passes(logits, labels).tolist() == expected.tolist()


def test_the_sieve_keeps_what_cannot_be_told_apart() -> None:
    # Equal logits: the loss is the mean over classes but for the floor, which is below rounding.
    assert passes(torch.zeros(1, 2), torch.tensor([0])).tolist() == [True]


@pytest.mark.parametrize(
    ("n_epochs", "expected"),
    [
        (100, {0: 0.0, 9: 0.0, 10: 0.0, 11: 2 / 29, 24: 28 / 29, 39: 2.0, 40: 2.0, 99: 2.0}),
        (50, {0: 0.0, 5: 0.0, 12: 1.0, 19: 2.0, 49: 2.0}),
        (2, {0: 0.0, 1: 2.0}),
    ],
)
def test_beta_rises_as_in_the_authors_code_scaled_to_the_run(
    n_epochs: int, expected: dict[int, float], planted: Planted
) -> None:
    method: Any = planted("cores").method
    method.run.n_epochs = n_epochs
    assert {epoch: method.weight(epoch) for epoch in expected} == pytest.approx(expected)


def test_cores_steps_on_the_regularised_loss_of_what_passes(planted: Planted) -> None:
    session = planted("cores", epochs=10)
    batch, stepped = one_batch(session)
    method: Any = session.method
    prior = method.prior.double().numpy()
    counts = np.bincount(session.run.labels.numpy(), minlength=4)
    np.testing.assert_allclose(prior, counts / counts.sum(), rtol=1e-6)
    with torch.no_grad():
        table = -log_softmax(session.networks[0](batch.x).double().numpy(), axis=1)
    given = batch.y.numpy()
    rows = np.arange(len(given))
    kept = table[rows, given] <= table.mean(1)
    regularised = table[rows, given] - 2 * (table * prior).sum(1)
    assert 0 < kept.sum() < len(kept)
    method.train_epoch(8)
    assert float(stepped[0]) == pytest.approx(regularised[kept].mean() / 3, abs=1e-5)
    # The prior of the next epoch is that of the given labels that were kept.
    left = np.bincount(given[kept], minlength=4)
    np.testing.assert_allclose(method.prior.numpy(), left / left.sum(), rtol=1e-5)


@pytest.mark.parametrize(("epoch", "sieves"), [(0, False), (3, False), (4, True)])
def test_the_sieve_waits_for_its_epoch(epoch: int, sieves: bool, planted: Planted) -> None:
    session = planted("cores", epochs=10, beta=0.0)
    batch, stepped = one_batch(session)
    with torch.no_grad():
        table = -log_softmax(session.networks[0](batch.x).double().numpy(), axis=1)
    losses = table[np.arange(len(batch.y)), batch.y.numpy()]
    kept = losses <= table.mean(1)
    session.method.train_epoch(epoch)
    expected = losses[kept].mean() if sieves else losses.mean()
    assert float(stepped[0]) == pytest.approx(expected, abs=1e-5)


def test_a_batch_that_is_rejected_as_a_whole_teaches_nothing(planted: Planted) -> None:
    session = planted("cores", epochs=10)
    batch, stepped = one_batch(session)
    method: Any = session.method
    before = method.prior.clone()
    head = session.networks[0].head
    with torch.no_grad():  # always class 0, and no label is 0
        head.weight.zero_()
        head.bias.copy_(torch.tensor([9.0, 0.0, 0.0, 0.0]))
    labels = torch.ones_like(batch.y)
    rejected = Batch(batch.x, labels, batch.index)
    session.run.batches = lambda epoch, repeat=0: iter([rejected])  # type: ignore[method-assign]
    assert method.train_epoch(8) == 0
    (gradient,) = torch.autograd.grad(stepped[0], head.bias)
    assert float(stepped[0]) == 0
    assert float(gradient.abs().sum()) == 0
    assert torch.equal(method.prior, before)


def test_the_sieve_separates_planted_wrong_labels(planted: Planted) -> None:
    session = planted("cores", epochs=20, wrong=0.3)
    list(session.epochs())
    logits = session.run.predict(session.networks[0])
    kept = passes(logits, session.run.labels).numpy()
    clean = (session.run.labels == session._train_true).numpy()
    precision, recall = clean[kept].mean(), kept[clean].mean()
    assert clean.mean() < 0.75
    assert precision > 0.95
    assert recall > 0.9
    belief = session.method.label_belief().argmax(1)
    assert float((belief == session._train_true).float().mean()) > 0.9


def test_neither_is_told_anything() -> None:
    assert not CORES.knows | PeerLoss.knows


# ------------------------------------------------------------------------------------ peer loss


def test_the_bounded_cross_entropy_has_its_floor() -> None:
    logits, labels = logits_and_labels(9, 5)
    p = softmax(logits.numpy(), axis=1)[np.arange(9), labels.numpy()]
    np.testing.assert_allclose(bounded_ce(logits, labels).numpy(), -np.log(p + 1e-5), rtol=1e-9)
    sure = torch.tensor([[90.0, 0.0]], requires_grad=True)
    worst = bounded_ce(sure, torch.tensor([1]))
    assert float(worst) == pytest.approx(-math.log(1e-5), rel=1e-5)
    (gradient,) = torch.autograd.grad(worst.sum(), sure)
    assert float(gradient.abs().max()) < 1e-30


def loss_table(logits: Tensor) -> np.ndarray:
    """The method's loss of every sample with every label, ``(n, C)`` float64."""
    n, k = logits.shape
    labels = torch.arange(k).repeat(n)
    losses = bounded_ce(logits.double().repeat_interleave(k, 0), labels)
    return np.asarray(losses.view(n, k).detach())


def peer_risk(loss: np.ndarray, joint: np.ndarray, alpha: float) -> float:
    """E ℓ(f(x), y) - α E ℓ(f(x'), y') over all pairs of a joint distribution ``(n, C)``."""
    risk = (joint * loss).sum()
    of_x, of_y = joint.sum(1), joint.sum(0)
    peers = sum(
        of_x[i] * of_y[c] * loss[i, c] for i, c in itertools.product(*map(range, joint.shape))
    )
    return float(risk - alpha * peers)


def test_the_expected_loss_over_all_peers_is_that_of_enumeration(planted: Planted) -> None:
    """Mean of the method's own steps over every pair (j, k) of a training set of four samples."""
    session = planted("peer-loss", epochs=4, points=((0.0, 0.7),))
    batch, stepped = one_batch(session)
    method: Any = session.method
    four = batch.index[:4]
    small = Batch(batch.x[:4], batch.y[:4], four)
    session.run.batches = lambda epoch, repeat=0: iter([small])  # type: ignore[method-assign]
    session.run.view = lambda index, kind="weak": batch.x[index]  # type: ignore[method-assign]
    session.run.labels = batch.y
    # Peers of one size: position i of the batch goes through all 16 pairs.
    pairs = list(itertools.product(range(4), repeat=2))
    for j, k in pairs:
        method.peers = lambda size, j=j, k=k: (
            torch.full((size,), j),
            torch.full((size,), k),
        )
        method.train_epoch(1)
    with torch.no_grad():
        p = softmax(session.networks[0](small.x).double().numpy(), axis=1) + 1e-5
    losses = -np.log(p)
    joint = np.zeros((4, 4))
    joint[np.arange(4), small.y.numpy()] = 1 / 4
    expected = peer_risk(losses, joint, 0.7) / 1.7
    assert float(torch.stack(stepped).mean()) == pytest.approx(expected, abs=1e-5)


def test_without_alpha_it_is_cross_entropy_on_the_batch_alone(planted: Planted) -> None:
    session = planted("peer-loss", epochs=4, points=((0.0, 0.0),))
    batch, stepped = one_batch(session)
    session.run.view = None  # type: ignore[assignment] # no peer is looked at
    session.method.train_epoch(3)
    with torch.no_grad():
        logits = session.networks[0](batch.x).double().numpy()
    expected = -log_softmax(logits, axis=1)[np.arange(len(batch.y)), batch.y.numpy()].mean()
    assert float(stepped[0]) == pytest.approx(expected, abs=1e-4)


def test_inputs_and_labels_of_peers_are_drawn_independently(planted: Planted) -> None:
    session = planted("peer-loss", epochs=2)
    method: Any = session.method
    n = session.run.n
    j, k = method.peers(40_000)
    again, _ = method.peers(40_000)
    assert not torch.equal(j, again)
    for drawn in (j, k):
        counts = np.bincount(drawn.numpy(), minlength=n)
        assert len(counts) == n
        assert stats.chisquare(counts).pvalue > 1e-3
    # Were they one draw, or shifted by a constant, cells of (j, k) would not be equally full.
    table = np.histogram2d(j.numpy() * 6 // n, k.numpy() * 6 // n, bins=6)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-3
    assert float((j == k).float().mean()) == pytest.approx(1 / n, abs=0.003)


@pytest.mark.parametrize("balanced", [True, False])
def test_on_symmetric_noise_it_is_a_multiple_of_that_on_clean_labels(balanced: bool) -> None:
    """The paper's main property, for three classifiers: one factor, no offset, none but α = 1."""
    n, k, rate = 12, 4, 0.45
    rng = np.random.default_rng(0)
    clean = np.zeros((n, k))
    labels = np.arange(n) % k if balanced else np.sort(rng.integers(0, k, n)) // 2
    clean[np.arange(n), labels] = 1 / n
    matrix = np.full((k, k), rate / (k - 1))
    np.fill_diagonal(matrix, 1 - rate)
    noisy = clean @ matrix
    factor = 1 - rate * k / (k - 1)
    others = []
    for seed in range(3):
        logits, _ = logits_and_labels(n, k, seed)
        losses = loss_table(logits)
        risk = peer_risk(losses, clean, 1.0)
        assert peer_risk(losses, noisy, 1.0) == pytest.approx(factor * risk, rel=1e-9)
        others.append(peer_risk(losses, noisy, 0.0) / peer_risk(losses, clean, 0.0))
    assert max(others) - min(others) > 0.01  # cross entropy alone has no such factor


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {0: 0.0, 24: 0.0, 42: 0.5, 60: 1.0, 99: 1.0}),
        ({"points": ((0.4, 0.0), (0.4, 0.95))}, {0: 0.0, 39: 0.0, 40: 0.95, 99: 0.95}),
        ({"points": ((0.2, 0.0), (0.4, 1.0), (1.0, 20.0))}, {20: 0.0, 30: 0.5, 70: 10.5}),
    ],
)
def test_alpha_runs_through_its_points(
    params: dict[str, Any], expected: dict[int, float], planted: Planted
) -> None:
    method: Any = planted("peer-loss", **params).method
    method.run.n_epochs = 100
    assert {epoch: method.alpha(epoch) for epoch in expected} == pytest.approx(expected)


def test_alpha_rises_when_as_much_learning_rate_is_spent_as_in_the_authors_code(
    planted: Planted,
) -> None:
    """Their rate falls tenfold every 40 of 300 epochs; α leaves 0 at 20 and is 1 at 40."""
    theirs = np.array([0.1 * 0.1 ** (epoch // 40) for epoch in range(300)])
    spent = np.cumsum(theirs) / theirs.sum()
    ours = (1 + np.cos(np.pi * np.arange(1000) / 1000)) / 2
    cosine = np.cumsum(ours) / ours.sum()
    method: Any = planted("peer-loss").method
    shares = [point[0] for point in method.points]
    expected = [np.searchsorted(cosine, spent[epoch - 1]) / 1000 for epoch in (20, 40)]
    assert shares == pytest.approx(expected, abs=0.01)
    assert [point[1] for point in method.points] == [0.0, 1.0]


def test_peer_loss_stays_finite_with_the_authors_largest_weight(planted: Planted) -> None:
    session = planted("peer-loss", epochs=6, points=((0.0, 20.0),))
    assert all(math.isfinite(record.train_loss or 0.0) for record in session.epochs())
