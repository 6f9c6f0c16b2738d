"""GJS against an independent derivation of its value and limits; mixup's mixtures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr, softmax

from bench.api import Batch
from bench.training.session import Session
from methods.gjs import divergence

Planted = Callable[..., Session]


def outputs(m: int, n: int = 12, classes: int = 5, scale: float = 2.0) -> np.ndarray:
    return np.random.default_rng(m).normal(0, scale, (m, n, classes))


def ours(z: np.ndarray, labels: np.ndarray, pi: float) -> np.ndarray:
    return divergence([torch.from_numpy(v) for v in z], torch.from_numpy(labels), pi).numpy()


LABELS = np.arange(12) % 5


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("pi", [0.1, 0.3, 0.5, 0.9])
def test_value_is_the_sum_of_relative_entropies_to_the_mean(m: int, pi: float) -> None:
    z = outputs(m)
    parts = np.concatenate([np.eye(5)[LABELS][None], softmax(z, axis=2)])
    weights = np.array([pi] + [(1 - pi) / m] * m)
    mean = np.einsum("d,dnk->nk", weights, parts)
    total = np.einsum("d,dn->n", weights, rel_entr(parts, mean[None]).sum(2))
    expected = total / (-(1 - pi) * np.log(1 - pi))
    np.testing.assert_allclose(ours(z, LABELS, pi), expected, rtol=1e-9)


def test_one_view_with_equal_weights_is_scipys_distance_squared() -> None:
    z = outputs(1)
    p, hot = softmax(z[0], axis=1), np.eye(5)[LABELS]
    distance = np.array([jensenshannon(a, b) for a, b in zip(hot, p, strict=True)])
    np.testing.assert_allclose(ours(z, LABELS, 0.5), distance**2 / (0.5 * np.log(2)), rtol=1e-9)


def test_several_views_are_js_of_their_mean_plus_what_they_disagree() -> None:
    """Z L = JS_π(e_y, p̄) + (1 - π) JS(p_1, …, p_M), by the chain rule of entropies."""
    pi, z = 0.3, outputs(3)
    p = softmax(z, axis=2)
    mean = p.mean(0)
    alone = ours(np.log(mean)[None], LABELS, pi)
    disagreement = rel_entr(p, mean[None]).sum(2).mean(0)
    scale = -(1 - pi) * np.log(1 - pi)
    expected = alone + (1 - pi) * disagreement / scale
    np.testing.assert_allclose(ours(z, LABELS, pi), expected, rtol=1e-9)
    same = np.repeat(z[:1], 3, axis=0)
    np.testing.assert_allclose(ours(same, LABELS, pi), ours(z[:1], LABELS, pi), rtol=1e-9)


def test_js_tends_to_cross_entropy_as_the_label_loses_weight() -> None:
    z = outputs(1, scale=1.0)
    ce = -np.log(softmax(z[0], axis=1)[np.arange(12), LABELS])
    gaps = [np.abs(ours(z, LABELS, pi) - ce).max() for pi in (1e-1, 1e-2, 1e-3)]
    assert gaps[0] > 3 * gaps[1] > 15 * gaps[2]
    assert gaps[2] < 0.05 * ce.max()


def test_js_tends_to_half_the_absolute_error_as_the_label_gains_weight() -> None:
    z = outputs(1)
    mae = 1 - softmax(z[0], axis=1)[np.arange(12), LABELS]
    gaps = [np.abs(ours(z, LABELS, 1 - eps) - mae).max() for eps in (1e-2, 1e-4, 1e-6)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.1


@pytest.mark.parametrize("m", [1, 2])
def test_loss_is_bounded_by_the_entropy_of_the_weights(m: int) -> None:
    pi = 0.3
    weights = np.array([pi] + [(1 - pi) / m] * m)
    bound = stats.entropy(weights) / (-(1 - pi) * np.log(1 - pi))
    found = ours(outputs(m, n=400, scale=40.0), np.arange(400) % 5, pi)
    assert found.min() >= -1e-6  # shares are kept above 1e-7, and then sum to more than 1
    assert found.max() <= bound + 1e-6
    assert found.max() > 0.95 * stats.entropy([pi, 1 - pi]) / (-(1 - pi) * np.log(1 - pi))


def test_gradient_of_the_divergence_is_that_of_finite_differences() -> None:
    z = [torch.from_numpy(v).requires_grad_() for v in outputs(2, n=3)]
    labels = torch.tensor([0, 1, 2])
    assert torch.autograd.gradcheck(lambda a, b: divergence([a, b], labels, 0.3), z)


def test_extreme_logits_give_a_finite_gradient() -> None:
    z = torch.tensor([[500.0, -500.0, 0.0]], requires_grad=True)
    loss = divergence([z], torch.tensor([1]), 0.3)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize(("views", "passes"), [(0, 1), (1, 1), (2, 2), (3, 3)])
def test_a_sample_passes_the_network_once_a_view(planted: Planted, views: int, passes: int) -> None:
    session = planted("gjs", views=views)
    sizes: list[int] = []
    kept = session.method.logits
    session.method.logits = lambda x: (sizes.append(len(x)), kept(x))[1]
    batch = next(session.run.batches(0))
    losses = session.method.loss(batch)
    assert sizes == [passes * len(batch.y)]
    assert losses.shape == batch.y.shape


def test_two_strong_views_of_a_sample_differ(planted: Planted) -> None:
    session = planted("gjs")
    seen: list[torch.Tensor] = []
    session.method.logits = lambda x: (seen.append(x), x.flatten(1)[:, :4])[1]
    session.method.loss(next(session.run.batches(0)))
    one, other = seen[0].chunk(2)
    assert (one != other).flatten(1).any(1).float().mean() > 0.8


# ------------------------------------------------------------------------------------- mixup


def mixtures(planted: Planted, alpha: float, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mixed one-hot inputs, so that a row shows the shares, and the losses."""
    session = planted("mixup", alpha=alpha)
    seen: list[np.ndarray] = []

    def logits(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.double().numpy())
        return 3 * x.roll(1, 1)

    session.method.logits = logits  # type: ignore[method-assign]
    y = torch.arange(4)
    batch = Batch(torch.eye(4), y, y)
    losses = [session.method.loss(batch).numpy() for _ in range(n)]
    return list(zip(seen, losses, strict=True))


def test_mixtures_are_convex_and_their_loss_is_that_of_both_labels(planted: Planted) -> None:
    for x, losses in mixtures(planted, 1.0, 20):
        np.testing.assert_allclose(x.sum(1), 1, atol=1e-6)
        assert x.min() >= 0
        share = 1 - (1 - x.diagonal()).max()
        log_p = np.log(softmax(3 * np.roll(x, 1, axis=1), axis=1))
        for i in range(4):
            other = i if x[i, i] > 1 - 1e-9 else int(np.argsort(x[i] * (np.arange(4) != i))[-1])
            expected = -share * log_p[i, i] - (1 - share) * log_p[i, other]
            assert losses[i] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("alpha", [1.0, 4.0])
def test_shares_follow_the_beta_distribution(planted: Planted, alpha: float) -> None:
    """The share of the first sample, where the permutation moved any."""
    found = [1 - (1 - x.diagonal()).max() for x, _ in mixtures(planted, alpha, 600)]
    moved = [share for share in found if share < 1 - 1e-9]
    assert len(moved) > 500
    assert stats.kstest(moved, stats.beta(alpha, alpha).cdf).pvalue > 1e-3
    wrong = 4.0 if alpha == 1.0 else 1.0
    assert stats.kstest(moved, stats.beta(wrong, wrong).cdf).pvalue < 1e-6


def test_one_share_serves_a_whole_batch(planted: Planted) -> None:
    for x, _ in mixtures(planted, 1.0, 20):
        moved = x.diagonal()[x.diagonal() < 1 - 1e-6]
        assert np.ptp(moved) < 1e-6 if len(moved) else True
