"""SAT, SELC, SOP and CDR: what their targets, weights, own parameters and gradients do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.metrics import roc_auc_score

from bench.api import Batch
from bench.training.session import Session

Planted = Callable[..., Session]


def fed(session: Session, batches: list[Batch]) -> None:
    """Let the next epochs see these batches, whose inputs are taken as logits."""
    session.run.batches = lambda epoch, repeat=0: iter(batches)  # type: ignore[method-assign]
    session.method.logits = lambda x: x  # type: ignore[method-assign]


def some_batches(session: Session, count: int, size: int = 24) -> list[Batch]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        index = torch.from_numpy(rng.permutation(session.run.n)[:size])
        z = torch.from_numpy(rng.normal(0, 2, (size, 4))).float()
        made.append(Batch(z, session.run.labels[index], index))
    return made


# --------------------------------------------------------------------------------- SAT and SELC


@pytest.mark.parametrize("name", ["sat", "selc"])
def test_targets_move_by_the_recursion_and_weights_are_their_maxima(
    planted: Planted, name: str
) -> None:
    session = planted(name, alpha=0.8)
    method = session.method
    batches = some_batches(session, 5)
    fed(session, batches)
    method.adapts = method.corrects = True
    targets = np.eye(4)[session.run.labels.numpy()]
    for batch in batches:
        index, z = batch.index.numpy(), batch.x.double().numpy()
        targets[index] = 0.8 * targets[index] + 0.2 * softmax(z, axis=1)
        losses = -(targets[index] * log_softmax(z, axis=1)).sum(1)
        if name == "sat":
            weight = targets[index].max(1)
            expected = (weight * losses).sum() / weight.sum()
        else:
            expected = losses.mean()
        assert float(method.loss(batch).mean()) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(method.label_belief().numpy(), targets, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "epochs", "length"), [("sat", 10, 3), ("selc", 10, 2), ("sat", 2, 1), ("selc", 2, 1)]
)
def test_warm_up_is_cross_entropy_with_unmoved_targets(
    planted: Planted, name: str, epochs: int, length: int
) -> None:
    session = planted(name, epochs=epochs)
    before = session.method.targets.clone()
    for epoch, _ in enumerate(session.epochs()):
        moved = not torch.equal(session.method.targets, before)
        assert moved == (epoch >= length)


@pytest.mark.parametrize("name", ["sat", "selc"])
def test_targets_come_closer_to_the_truth_than_the_labels(planted: Planted, name: str) -> None:
    session = planted(name, epochs=20, wrong=0.25)
    list(session.epochs())
    true = session._train_true
    belief = session.method.label_belief().argmax(1)
    assert (belief == true).float().mean() > (session.run.labels == true).float().mean() + 0.1


def test_selc_knows_no_rate_and_turns_at_the_same_epoch_under_any_noise(planted: Planted) -> None:
    """The authors' code looks the turning point up by the true noise rate."""
    points = {planted("selc", epochs=40, wrong=w).method.turning_point() for w in (0.0, 0.2, 0.6)}
    assert points == {8}
    assert planted("selc").method.told() == []


def test_selc_is_finite_where_a_softmax_is_zero(planted: Planted) -> None:
    """The logarithm of a soft-max that underflows is minus infinity."""
    session = planted("selc")
    fed(session, [])
    session.method.corrects = True
    y = session.run.labels[:1]
    z = torch.full((1, 4), 1000.0)
    z[0, y] = -1000.0
    assert torch.isfinite(session.method.loss(Batch(z, y, torch.tensor([0])))).all()


# ------------------------------------------------------------------------------------------ SOP


def test_sop_starts_tiny_and_a_step_is_the_hand_derived_one(planted: Planted) -> None:
    """∂/∂u of -log q_y, and ∂/∂v of the squared error, each by its own rate."""
    session = planted("sop", epochs=200, lr_u=3.0, lr_v=5.0)
    method = session.method
    assert 0 < method.u.abs().max() < 1e-6
    assert 0 < method.v.abs().max() < 1e-6
    assert method.v.std() == pytest.approx(1e-8, rel=0.1)
    assert (method.u.square() > 0).all()  # half precision would make it 0, which never grows
    rng = np.random.default_rng(0)
    u0, v0 = rng.uniform(0.1, 0.6, (session.run.n, 1)), rng.uniform(0.1, 0.6, (session.run.n, 4))
    method.u, method.v = torch.from_numpy(u0).float(), torch.from_numpy(v0).float()
    batch = some_batches(session, 1)[0]
    fed(session, [batch])
    method.train_epoch(0)
    index, p = batch.index.numpy(), softmax(batch.x.double().numpy(), axis=1)
    hot = np.eye(4)[batch.y.numpy()]
    u, v = u0[index], v0[index]
    raw = p + u**2 * hot - v**2 * (1 - hot)
    q, alive = raw.clip(1e-4), (raw > 1e-4) * hot
    slope_u = 2 * u * (1 / q.sum(1, keepdims=True) - (alive / q).sum(1, keepdims=True))
    guess = np.eye(4)[batch.x.numpy().argmax(1)]
    slope_v = -4 * v * (1 - hot) * (guess - v**2 * (1 - hot) + u**2 * hot - hot)
    expected_u, expected_v = u0.copy(), v0.copy()
    expected_u[index] = (u - 3 / 128 * slope_u).clip(-1, 1)
    expected_v[index] = (v - 5 / 128 * slope_v).clip(-1, 1)
    np.testing.assert_allclose(method.u.numpy(), expected_u, atol=1e-6)
    np.testing.assert_allclose(method.v.numpy(), expected_v, atol=1e-6)


def test_sop_steps_do_not_depend_on_the_size_of_the_batch(planted: Planted) -> None:
    found = []
    for size in (1, 4):
        session = planted("sop")
        session.method.u.fill_(0.3)
        batch = some_batches(session, 1)[0]
        parts = [t[:size] for t in (batch.x, batch.y, batch.index)]
        fed(session, [Batch(*parts)])
        session.method.train_epoch(0)
        found.append(session.method.u[batch.index[0]])
    torch.testing.assert_close(found[0], found[1])


def test_sop_grows_for_wrong_labels_and_stays_where_it_was_for_right_ones(
    planted: Planted,
) -> None:
    session = planted("sop", epochs=12, wrong=0.25)
    list(session.epochs())
    u = session.method.u.squeeze(1).abs().numpy()
    wrong = (session.run.labels != session._train_true).numpy()
    assert roc_auc_score(wrong, u) > 0.9
    assert np.median(u[wrong]) > 0.1
    assert np.median(u[~wrong]) < 1e-3


def test_sop_stays_where_it_was_when_labels_are_right(planted: Planted) -> None:
    session = planted("sop", epochs=12, wrong=0.0)
    list(session.epochs())
    assert session.method.u.abs().median() < 1e-4
    assert session.method.v.abs().median() < 1e-6
    assert torch.equal(session.method.label_belief().argmax(1), session.run.labels)


def test_sop_confines_v_to_other_classes_and_both_to_the_unit_interval(planted: Planted) -> None:
    session = planted("sop", epochs=6, lr_u=300.0, lr_v=300.0)
    rows = torch.arange(session.run.n)
    start = session.method.v[rows, session.run.labels].clone()
    list(session.epochs())
    assert torch.equal(session.method.v[rows, session.run.labels], start)
    assert session.method.u.abs().max() == 1
    assert session.method.v.abs().max() == 1


# ------------------------------------------------------------------------------------------ CDR


def weights_of(session: Session) -> list[torch.Tensor]:
    return list(session.networks[0].parameters())


def test_cdr_keeps_the_largest_products_of_gradient_and_weight(planted: Planted) -> None:
    session = planted("cdr", wrong=0.4)
    rate = session.run.known.noise_rate
    weights = weights_of(session)
    rng = torch.Generator().manual_seed(1)
    gradients = [torch.randn(w.shape, generator=rng) for w in weights]
    found = session.method.filtered(gradients, weights)
    ranked = [k for k, w in enumerate(weights) if w.ndim > 1]
    g = np.concatenate([gradients[k].double().numpy().ravel() for k in ranked])
    w = np.concatenate([weights[k].detach().double().numpy().ravel() for k in ranked])
    f = np.concatenate([found[k].double().numpy().ravel() for k in ranked])
    kept = np.argsort(-np.abs(g * w), kind="stable")[: int((1 - rate) * len(g))]
    expected = np.zeros_like(g)
    expected[kept] = (1 - rate) * g[kept]
    np.testing.assert_allclose(f, expected, rtol=1e-5)
    for k, (mine, given) in enumerate(zip(found, gradients, strict=True)):
        assert k in ranked or torch.equal(mine, given)


def test_cdr_decays_all_weights_and_moves_only_the_critical_ones(planted: Planted) -> None:
    session = planted("cdr", wrong=0.4)
    batch = next(session.run.batches(0))
    before = [w.detach().clone() for w in weights_of(session)]
    session.run.batches = lambda epoch, repeat=0: iter([batch])  # type: ignore[method-assign]
    session.method.train_epoch(0)
    after = [w.detach() for w in weights_of(session)]
    optimiser = session.protocol.optimiser
    idle = total = 0
    for old, new in zip(before, after, strict=True):
        if old.ndim > 1:
            decayed = old * (1 - optimiser.lr * optimiser.weight_decay)
            still = torch.isclose(new, decayed, rtol=1e-6, atol=1e-9)
            idle, total = idle + int(still.sum()), total + old.numel()
    assert optimiser.weight_decay > 0
    assert idle / total >= session.run.known.noise_rate - 0.01
    assert idle / total < 0.9
    assert any((old != new).any() for old, new in zip(before, after, strict=True))


def test_cdr_with_no_noise_is_cross_entropy(planted: Planted) -> None:
    one, other = planted("cdr", wrong=0.0), planted("ce", wrong=0.0)
    list(one.epochs())
    list(other.epochs())
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_cdr_scales_by_the_same_factor_in_every_epoch(planted: Planted) -> None:
    """The authors' code computes a schedule and overwrites it; here there is none."""
    session = planted("cdr", epochs=3, wrong=0.4)
    kept = session.method.filtered
    factors: list[float] = []

    def spy(gradients: list[torch.Tensor], weights: list[torch.Tensor]) -> list[torch.Tensor]:
        found = kept(gradients, weights)
        k = next(k for k, w in enumerate(weights) if w.ndim > 1)
        alive = found[k] != 0
        factors.append(float((found[k][alive] / gradients[k][alive]).mean()))
        return found

    session.method.filtered = spy  # type: ignore[method-assign]
    list(session.epochs())
    assert factors == pytest.approx([1 - session.run.known.noise_rate] * len(factors), rel=1e-5)
