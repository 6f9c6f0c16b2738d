"""What semi-supervised methods share, against independent derivations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from torch import nn

from bench.registry import Registry
from bench.training.network import build_network
from bench.training.recipes.averaging import average_of, follow
from bench.training.recipes.fmix import fmix, low_frequency_mask
from bench.training.recipes.layers import last_layers
from bench.training.recipes.matching import (
    contrastive_loss,
    mean_prediction,
    mixmatch_loss,
    prior_penalty,
    refined,
)
from bench.training.recipes.mixing import beta, mixup, sharpen, soft_cross_entropy
from bench.training.recipes.mixture import clean_probability
from bench.training.recipes.neighbours import balanced_votes
from bench.training.recipes.phases import ramp, shortened

P = np.array([[0.7, 0.2, 0.1], [0.34, 0.33, 0.33]])


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_sharpening_raises_shares_to_the_inverse_temperature() -> None:
    expected = P**2 / (P**2).sum(1, keepdims=True)
    np.testing.assert_allclose(sharpen(tensor(P), 0.5).numpy(), expected, rtol=1e-5)


def test_refined_targets_follow_the_equation() -> None:
    y, w = np.eye(3)[[1, 0]], np.array([0.9, 0.2])
    mixed = w[:, None] * y + (1 - w[:, None]) * P
    expected = mixed**2 / (mixed**2).sum(1, keepdims=True)
    found = refined(tensor(y), tensor(w), tensor(P), 0.5).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_beta_draws_have_the_distribution_they_claim(draws: torch.Generator) -> None:
    values = [beta(4.0, draws) for _ in range(2000)]
    assert stats.kstest(values, stats.beta(4, 4).cdf).pvalue > 0.001


def test_mixup_stays_closest_to_the_first_sample(draws: torch.Generator) -> None:
    x = torch.eye(6)
    for _ in range(20):
        mixed, targets = mixup(x, x, 4.0, draws, keep_first=True)
        assert (mixed.diagonal() >= 0.5).all()
        torch.testing.assert_close(mixed, targets)
        torch.testing.assert_close(mixed.sum(1), torch.ones(6))


def test_a_mixture_tells_planted_clean_from_wrong_losses() -> None:
    rng = np.random.default_rng(0)
    clean = rng.random(2000) < 0.6
    losses = np.where(clean, rng.gamma(2, 0.15, 2000), rng.normal(2.5, 0.6, 2000).clip(0))
    found = clean_probability(tensor(losses))
    assert roc_auc_score(clean, found.numpy()) > 0.95
    assert found[torch.from_numpy(losses).argmin()] > 0.9


def test_a_mixture_of_equal_losses_has_an_answer() -> None:
    found = clean_probability(torch.ones(50))
    assert torch.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_mixmatch_is_cross_entropy_plus_weighted_squares_plus_prior(draws: torch.Generator) -> None:
    rng = np.random.default_rng(1)
    weight, x, u = rng.normal(size=(4, 3)), rng.normal(size=(5, 4)), rng.normal(size=(2, 4))
    t, g = softmax(rng.normal(size=(5, 3))), softmax(rng.normal(size=(2, 3)))
    w = tensor(weight)
    # Beta of a vanishing parameter is 0 or 1, and the larger share is kept: nothing is mixed.
    found = mixmatch_loss(
        lambda v: v @ w,
        (tensor(x), tensor(t)),
        (tensor(u), tensor(g)),
        alpha=1e-6,
        weight_untrusted=7.0,
        draws=draws,
    )
    p, q = softmax(x @ weight), softmax(u @ weight)
    mean = np.concatenate([p, q]).mean(0)
    expected = (
        -(t * np.log(p)).sum(1).mean()
        + 7 * ((q - g) ** 2).mean()
        + sum(1 / 3 * np.log(1 / 3 / m) for m in mean)
    )
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_mixmatch_weighs_classes_and_can_leave_the_prior_out(draws: torch.Generator) -> None:
    z, t = np.array([[2.0, 0.0, -1.0]]), np.array([[0.5, 0.25, 0.25]])
    weights = np.array([2.0, 0.0, 1.0])
    found = mixmatch_loss(
        lambda v: v,
        (tensor(z), tensor(t)),
        None,
        alpha=1e-6,
        weight_untrusted=1.0,
        draws=draws,
        class_weights=tensor(weights),
        prior=False,
    )
    assert float(found) == pytest.approx(-(weights * t * np.log(softmax(z))).sum(), rel=1e-5)


def test_the_prior_penalty_is_zero_exactly_at_the_uniform_mean() -> None:
    assert float(prior_penalty(torch.eye(3) * 5)) == pytest.approx(0, abs=1e-6)
    assert float(prior_penalty(torch.eye(3)[[0, 0, 0]] * 5)) > 0.5


def test_mean_predictions_carry_no_gradient() -> None:
    w = torch.ones(3, 3, requires_grad=True)
    found = mean_prediction([lambda v: v @ w, lambda v: v * 0], [torch.eye(3), torch.eye(3)])
    assert not found.requires_grad
    torch.testing.assert_close(found, torch.full((3, 3), 1 / 3))


def test_contrast_is_the_cross_entropy_of_finding_the_other_view() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    z = np.concatenate([one, other])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    terms = []
    for i in range(8):
        j = (i + 4) % 8
        rest = sum(np.exp(z[i] @ z[k] / 0.5) for k in range(8) if k != i)
        terms.append(-np.log(np.exp(z[i] @ z[j] / 0.5) / rest))
    found = contrastive_loss(tensor(one), tensor(other), 0.5)
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-5)


def test_votes_are_those_of_the_nearest_by_cosine_over_class_shares() -> None:
    rng = np.random.default_rng(3)
    features, labels = rng.normal(size=(60, 4)), rng.choice(3, 60, p=[0.6, 0.3, 0.1])
    nearest = NearestNeighbors(n_neighbors=7, metric="cosine", algorithm="brute").fit(features)
    index = nearest.kneighbors(features, return_distance=False)
    counts = np.stack([(labels[index] == c).sum(1) for c in range(3)], axis=1) / 7
    expected = counts / (np.bincount(labels, minlength=3) / 60)
    expected /= expected.sum(1, keepdims=True)
    found = balanced_votes(tensor(features), torch.from_numpy(labels), 7, 3).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_mask_has_the_share_it_was_asked_for(share: float, draws: torch.Generator) -> None:
    assert low_frequency_mask((8, 8), share, draws).mean() == pytest.approx(share, abs=1 / 64)


def test_a_mask_is_made_of_blobs_not_of_dots(draws: torch.Generator) -> None:
    masks = [low_frequency_mask((32, 32), 0.5, draws) for _ in range(20)]
    changes = np.mean([np.abs(np.diff(mask, axis=1)).mean() for mask in masks])
    assert changes < 0.15  # dots would change at every second step


def test_fmix_takes_targets_in_the_proportion_of_pixels(draws: torch.Generator) -> None:
    x = torch.eye(4).view(4, 4, 1, 1).expand(4, 4, 6, 6)  # image i is 1 in channel i
    mixed, targets = fmix(x, torch.eye(4), draws)
    torch.testing.assert_close(mixed.mean(dim=(2, 3)), targets)


def test_fmix_mixes_features_too(draws: torch.Generator) -> None:
    mixed, targets = fmix(torch.rand(5, 9), torch.eye(5), draws)
    assert mixed.shape == (5, 9)
    torch.testing.assert_close(targets.sum(1), torch.ones(5))


def test_an_average_moves_by_one_minus_decay_and_copies_buffers() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = average_of(network)
    start = average[0].weight.clone()
    with torch.no_grad():
        network[0].weight += 1
        network[1].running_mean += 3
    follow(average, network, 0.9)
    torch.testing.assert_close(average[0].weight, start + 0.1)
    torch.testing.assert_close(average[1].running_mean, network[1].running_mean)
    assert not any(p.requires_grad for p in average.parameters())
    assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(
    ("backbone", "params", "kinds"),
    [
        ("small-cnn", {"width": 4}, ["Conv2d", "BatchNorm2d", "ReLU", "_SpatialMean", "Linear"]),
        ("mlp", {"width": 4, "depth": 2}, ["Linear", "ReLU", "Linear"]),
        ("resnet34", {"width": 4}, ["BasicBlock", "_Pool", "Linear"]),
    ],
)
def test_the_last_block_is_the_last_one_with_weights(
    registry: Registry, backbone: str, params: dict[str, int], kinds: list[str]
) -> None:
    network = build_network(
        registry.create("backbone", backbone, params),
        (3, 16, 16),
        5,
        seed=0,
        device=torch.device("cpu"),
        precision="fp32",
    )
    assert [type(layer).__name__ for layer in last_layers(network, 1)] == kinds
    assert last_layers(network, 0) == [network.head]
    body = [p for layer in last_layers(network, 99) for p in layer.parameters()]
    assert len(body) == len(list(network.parameters()))


def test_phases_are_the_papers_unless_the_run_is_short() -> None:
    assert shortened(10, 0.25, 300) == 10
    assert shortened(10, 0.25, 20) == 5
    assert shortened(10, 0.25, 1) == 1
    assert [ramp(epoch, 4) for epoch in (-1, 0, 2, 4, 9)] == [0, 0, 0.5, 1, 1]


def test_soft_cross_entropy_of_a_label_is_cross_entropy() -> None:
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 2, 1, 1])
    expected = nn.functional.cross_entropy(z, y, reduction="none")
    torch.testing.assert_close(soft_cross_entropy(z, torch.eye(3)[y]), expected)
