"""What DivideMix, ELR+, PES, SSR, UNICON, ProMix and DISC claim."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F

from bench.training.recipes.layers import last_layers
from bench.training.session import Session
from methods.unicon import jensen_shannon

Planted = Callable[..., Session]


def right(session: Session) -> torch.Tensor:
    """Which given labels are the true ones."""
    return session.run.labels == session._train_true


def trained(session: Session) -> Session:
    list(session.epochs())
    return session


def improves_labels(session: Session) -> bool:
    belief = session.method.label_belief().argmax(1)
    better = (belief == session._train_true).float().mean()
    return bool(better > right(session).float().mean() + 0.1)


# ----------------------------------------------------------------------------------- DivideMix


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


# ---------------------------------------------------------------------------------------- ELR+


def test_elr_plus_targets_average_the_other_networks_average(planted: Planted) -> None:
    session = planted("elr-plus", beta=0.6)
    method = session.method
    index, x = torch.arange(5), session.run.view(torch.arange(5), "plain")
    with torch.no_grad():
        p = method.second_average(x).softmax(1).double().numpy().clip(1e-4, 1 - 1e-4)
    p /= p.sum(1, keepdims=True)
    expected = np.zeros_like(p)
    for _ in range(3):
        method.updated(0, method.second_average, x, index)
        expected = 0.6 * expected + 0.4 * p
    np.testing.assert_allclose(method.targets[0, :5].numpy(), expected, atol=1e-6)
    assert (method.targets[1] == 0).all()


def test_elr_plus_objective_by_hand(planted: Planted) -> None:
    method = planted("elr-plus", lam=2.0).method
    z = np.array([[1.0, 0.0, -1.0, 0.5]])
    y, t = np.array([[0.75, 0.25, 0, 0]]), np.array([[0.2, 0.3, 0.1, 0.1]])
    p = np.exp(z) / np.exp(z).sum()
    expected = -(y * np.log(p)).sum() + 2 * 0.5 * np.log(1 - (p * t).sum())
    found = method.objective(*(torch.tensor(v, dtype=torch.float32) for v in (z, y, t)), 0.5)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_elr_plus_averages_trail_their_networks(planted: Planted) -> None:
    session = trained(planted("elr-plus", epochs=2))
    for average, network in zip(
        (session.method.first_average, session.method.second_average), session.networks, strict=True
    ):
        assert not torch.equal(average.head.weight, network.head.weight)
        assert not any(p.requires_grad for p in average.parameters())


def test_elr_plus_rise_ends_at_one(planted: Planted) -> None:
    method = planted("elr-plus", epochs=100).method
    assert method.rise(0) == pytest.approx(math.exp(-5))
    assert method.rise(57) == method.rise(99) == 1


def test_both_networks_see_the_same_wrong_labels(planted: Planted) -> None:
    # The authors' code draws the noise once a loader, so that two networks can vote on the truth.
    run = planted("elr-plus").run
    given = []
    for which in (0, 1):
        labels = torch.zeros(run.n, dtype=torch.int64)
        for batch in run.batches(0, repeat=which):
            labels[batch.index] = batch.y
        given.append(labels)
    assert torch.equal(*given)


# ----------------------------------------------------------------------------------------- PES


def weights(layers: list[torch.nn.Module]) -> torch.Tensor:
    return torch.cat([p.detach().ravel().clone() for m in layers for p in m.parameters()])


@pytest.mark.parametrize("blocks", [0, 1])
def test_refinement_trains_later_layers_and_no_earlier_ones(planted: Planted, blocks: int) -> None:
    session = planted("pes", epochs=4)
    network = session.networks[0]
    later = last_layers(network, blocks)
    inside = {id(p) for layer in later for p in layer.parameters()}
    earlier = [p for p in network.parameters() if id(p) not in inside]
    before, start = [p.detach().clone() for p in earlier], weights(later)
    session.method.refine(blocks, 5)
    assert all(torch.equal(p, b) for p, b in zip(earlier, before, strict=True))
    assert len(earlier) > 0
    assert not torch.equal(weights(later), start)


def test_pes_weighs_classes_by_their_number_of_confident_samples(planted: Planted) -> None:
    method = planted("pes").method
    labels = torch.tensor([0] * 6 + [1] * 2 + [2] * 4)
    expected = [4 / 6, 4 / 2, 4 / 4, 0]  # the mean of the three present classes is 4
    np.testing.assert_allclose(method.class_weights(labels).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("semi", [False, True])
def test_pes_is_confident_in_right_labels(planted: Planted, semi: bool) -> None:
    session = trained(planted("pes", epochs=12, semi=semi))
    confident = session.method.belief.argmax(1) == session.run.labels
    assert right(session)[confident].float().mean() > 0.95
    assert confident[right(session)].float().mean() > 0.6


# ----------------------------------------------------------------------------------------- SSR


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


# -------------------------------------------------------------------------------------- UNICON


def test_divergence_is_jensen_shannons_in_bits() -> None:
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(5), 20), np.eye(5)[rng.integers(0, 5, 20)]
    expected = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q, strict=True)]
    found = jensen_shannon(torch.tensor(p), torch.tensor(q)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_unicon_selects_the_same_share_of_every_class(planted: Planted) -> None:
    session = planted("unicon")
    method, labels = session.method, session.run.labels
    method.divergence = torch.linspace(0, 0.6, session.run.n)[torch.randperm(session.run.n)]
    method.divergence[labels == 0] *= 0.1  # an easy class must not crowd out the others
    chosen = method.selected()
    counts = torch.bincount(labels[chosen], minlength=4)
    below = int((method.divergence < method.divergence.mean()).sum())
    assert counts.tolist() == [below // 4] * 4
    for c in range(4):
        inside, outside = (method.divergence[(labels == c) & part] for part in (chosen, ~chosen))
        assert inside.max() <= outside.min()


def test_unicon_lowers_a_high_cut_off(planted: Planted) -> None:
    session = planted("unicon", tau=2.0)
    d = torch.linspace(0.6, 1.0, session.run.n)  # mean 0.8, above 0.7; lowered to 0.7
    session.method.divergence = d
    assert int(session.method.selected().sum()) == int((d < 0.7).sum()) // 4 * 4


def test_unicon_keeps_each_divergence_with_its_sample(planted: Planted) -> None:
    # The authors' code places a last, smaller batch wrongly.
    session = trained(planted("unicon", epochs=8))
    wrong = ~right(session)
    assert roc_auc_score(wrong.numpy(), session.method.divergence.numpy()) > 0.9


# -------------------------------------------------------------------------------------- ProMix


def test_promix_chooses_the_smallest_losses_of_each_class(planted: Planted) -> None:
    session = planted("promix")
    labels = session.run.labels
    logits = torch.randn(session.run.n, 4, generator=torch.Generator().manual_seed(0))
    chosen = session.method.smallest(logits, 0.5)
    loss = F.cross_entropy(logits, labels, reduction="none")
    for c in range(4):
        mine = labels == c
        count = min(math.ceil(0.5 * session.run.n / 4), int(mine.sum()))
        assert int(chosen[mine].sum()) == count
        assert loss[mine & chosen].max() <= loss[mine].sort().values[count - 1]


def one_sided(p: float, winner: torch.Tensor) -> torch.Tensor:
    """Logits whose soft-max gives ``winner`` the probability ``p`` of four classes."""
    shares = torch.full((len(winner), 4), (1 - p) / 3)
    shares[torch.arange(len(winner)), winner] = p
    return shares.log()


def test_promix_adds_confident_matches(planted: Planted) -> None:
    session = planted("promix", epochs=100)
    session.method.small_loss.zero_()
    given = torch.tensor([0, 1, 2, 3])
    logits = [one_sided(0.995, given), one_sided(0.9, given)]
    chosen, labels = session.method.choose(0, torch.arange(4), given, logits)
    assert chosen[0].all()
    assert not chosen[1].any()
    assert torch.equal(labels[0], given)


def test_promix_guesses_late_where_both_agree_and_only_up_to_a_share(planted: Planted) -> None:
    session = planted("promix", epochs=100, guess_up_to=0.5)
    session.method.small_loss.zero_()
    given, guess = torch.tensor([0, 1, 2, 3]), torch.tensor([1, 2, 3, 0])
    logits = [one_sided(0.995, guess), one_sided(0.999, guess)]
    early, _ = session.method.choose(10, torch.arange(4), given, logits)
    late, labels = session.method.choose(90, torch.arange(4), given, logits)
    assert not early[0].any()
    assert int(late[0].sum()) == 2
    assert torch.equal(labels[0], guess)
    logits[1] = one_sided(0.999, given)  # no agreement
    late, _ = session.method.choose(90, torch.arange(4), given, logits)
    assert not late[0].any()


def test_promix_biases_follow_the_predictions_of_their_group(planted: Planted) -> None:
    session = planted("promix", bias_decay=0.5)
    method = session.method
    x = session.run.view(torch.arange(6), "plain")
    chosen = torch.tensor([True] * 4 + [False] * 2)
    views = tuple(method.networks[0].features(x) for _ in range(2))
    weak = method.networks[0].head(views[0]).detach()
    p = weak.softmax(1).numpy()
    targets = F.one_hot(session.run.labels[:6], 4).float()
    method.objective(0, 0, (x, chosen, targets), views, weak)
    np.testing.assert_allclose(method.bias[0, 0], 0.5 / 4 + 0.5 * p[:4].mean(0), rtol=1e-5)
    np.testing.assert_allclose(method.bias[0, 1], 0.5 / 4 + 0.5 * p[4:].mean(0), rtol=1e-5)
    assert (method.bias[1] == 0.25).all()


# ---------------------------------------------------------------------------------------- DISC


def test_disc_thresholds_follow_the_largest_probability(planted: Planted) -> None:
    session = planted("disc", epochs=100, momentum=0.9, momentum_epochs=200)
    method = session.method
    rng = np.random.default_rng(0)
    expected = np.full((2, session.run.n), 1 / session.run.n)
    for _ in range(3):
        p = rng.dirichlet(np.ones(4), (2, session.run.n))
        method.p = torch.tensor(p, dtype=torch.float32)
        method.on_epoch_end(0)
        expected = 0.9**2 * expected + (1 - 0.9**2) * p.max(2)  # 200 epochs in a run of 100
    np.testing.assert_allclose(method.tau.numpy(), expected, rtol=1e-4)


def test_disc_sorts_samples_into_clean_hard_and_purified(planted: Planted) -> None:
    session = planted("disc")
    method, y = session.method, session.run.labels[:4]
    method.tau.fill_(0.4)
    method.p.fill_(0.25)
    both, weak, other = 0, 1, 2
    method.p[:, both] = F.one_hot(y[both], 4).float()
    method.p[0, weak] = F.one_hot(y[weak], 4).float()
    method.p[:, other] = F.one_hot((y[other] + 1) % 4, 4).float()
    method.on_epoch_end(0)
    found = torch.stack([method.clean, method.hard, method.purified])[:, :4].int().T.tolist()
    assert found == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert int(method.labels[other]) == int((y[other] + 1) % 4)
    assert torch.equal(method.labels[:2], y[:2])


def test_disc_finds_planted_right_labels(planted: Planted) -> None:
    session = trained(planted("disc", epochs=16))
    clean = session.method.clean
    assert right(session)[clean].float().mean() > 0.9
    assert clean[right(session)].float().mean() > 0.4


def test_disc_learns_where_nothing_is_selected(planted: Planted) -> None:
    session = planted("disc")
    index = torch.arange(6)
    x = session.run.view(index, "plain")
    z = session.networks[0](x)
    batch = SimpleNamespace(y=session.run.labels[index])
    loss = session.method.selective(index, batch.y, (x, x), (z, z))
    assert loss.item() == 0
    loss.backward()
