"""Selection by small losses and by disagreement, against independent derivations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import log_softmax, softmax
from torch import Tensor, nn

from bench.api import Batch
from bench.training.recipes.selection import (
    belief_of_kept,
    disagreement,
    exchanged,
    keep_rate,
    small_loss_belief,
    smallest,
)
from bench.training.session import Session
from methods.co_teaching_plus import CoTeachingPlus
from methods.decoupling import Decoupling
from methods.jocor import JoCoR, joint_loss

Planted = Callable[..., Session]


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """In float64, from the definition."""
    p = softmax(logits.astype(np.float64), axis=1)
    return np.asarray(-np.log(p[np.arange(len(labels)), labels]))


class Table(nn.Module):
    """A network whose logits are its weights: sample ``x = i`` has logits ``weight[i]``."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(logits.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Rows of the table."""
        return self.weight[x]


class Steps:
    """Stands for a run: one batch of tabled samples, and what the method steps on."""

    def __init__(self, labels: Tensor, rate: float, n_classes: int, n_epochs: int = 100) -> None:
        self.n, self.n_classes, self.n_epochs = len(labels), n_classes, n_epochs
        self.labels, self.device = labels, torch.device("cpu")
        self.known = type("Known", (), {"noise_rate": rate})
        self.losses: list[Tensor] = []
        self.reported: list[int] = []

    def batches(self, epoch: int, repeat: int = 0) -> Iterator[Batch]:
        """All samples at once."""
        index = torch.arange(self.n)
        yield Batch(index, self.labels, index)

    def report_selection(self, index: Tensor, kept: Tensor | None = None) -> None:
        """Keep what is reported."""
        self.reported += (index if kept is None else index[kept]).tolist()

    def step(self, loss: Tensor) -> None:
        """Keep what is stepped on."""
        self.losses.append(loss)


def tabled(
    name: str, tables: list[Tensor], labels: Tensor, registry: Any, rate: float = 0.5, **params: Any
) -> tuple[Any, Steps]:
    """A method whose two networks have planted logits, and the run it is given."""
    method: Any = registry.create("method", name, registry.get("method", name).resolve(params))
    method.run = run = Steps(labels, rate, tables[0].shape[1])
    method.networks = tuple(Table(logits) for logits in tables)
    method.setup()
    return method, run


def learnt_from(method: Any, run: Steps) -> list[list[int]]:
    """The samples on which each network's gradient depends."""
    (loss,) = run.losses
    gradients = torch.autograd.grad(loss, [network.weight for network in method.networks])
    return [g.abs().sum(1).nonzero().flatten().tolist() for g in gradients]


def logits_for(labels: Tensor, losses: list[float], n_classes: int = 4) -> Tensor:
    """Logits whose cross entropy at ``labels`` is ``losses``."""
    p = torch.tensor(losses, dtype=torch.float64).neg().exp()
    rest = ((1 - p) / (n_classes - 1))[:, None].repeat(1, n_classes)
    return rest.scatter(1, labels[:, None], p[:, None]).log()


LABELS = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
ONE = logits_for(LABELS, [0.1, 0.2, 0.3, 0.4, 2.5, 2.6, 2.7, 2.8])
OTHER = logits_for(LABELS, [2.8, 0.2, 2.6, 0.3, 2.5, 0.1, 2.7, 0.4])


# -------------------------------------------------------------------------------- the recipe


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


# ------------------------------------------------------------------- co-teaching, co-teaching+


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


# ----------------------------------------------------------------------------------- decoupling


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


@pytest.mark.parametrize("name", ["co-teaching", "co-teaching-plus", "decoupling", "jocor"])
def test_what_is_reported_is_what_the_first_network_learns_from(name: str, registry: Any) -> None:
    method, run = tabled(name, [ONE, OTHER], LABELS, registry)
    method.train_epoch(60)
    first, _ = learnt_from(method, run)
    assert 0 < len(first) < len(LABELS)
    assert sorted(run.reported) == first


def test_decoupling_is_told_nothing() -> None:
    assert not Decoupling.knows


# ---------------------------------------------------------------------------------------- JoCoR


def two_tables(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    one, other = (2 * torch.randn(9, 5, dtype=torch.float64, generator=rng) for _ in range(2))
    return one, other, torch.randint(0, 5, (9,), generator=rng)


@pytest.mark.parametrize("lam", [0.0, 0.3, 0.85, 1.0])
def test_the_joint_loss_is_its_formula(lam: float) -> None:
    one, other, labels = two_tables()
    a, b = one.numpy(), other.numpy()
    p, q = softmax(a, axis=1), softmax(b, axis=1)
    forth = (p * np.log(p / q)).sum(1)
    back = (q * np.log(q / p)).sum(1)
    both = cross_entropy(a, labels.numpy()) + cross_entropy(b, labels.numpy())
    found = joint_loss(one, other, labels, lam).numpy()
    np.testing.assert_allclose(found, (1 - lam) * both + lam * (forth + back), rtol=1e-9)


def test_the_joint_loss_treats_both_networks_alike() -> None:
    one, other, labels = two_tables()
    torch.testing.assert_close(
        joint_loss(one, other, labels, 0.7), joint_loss(other, one, labels, 0.7)
    )


def test_the_joint_loss_has_the_right_gradient_in_both_networks() -> None:
    one, other, labels = two_tables()
    one.requires_grad_()
    other.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: joint_loss(a, b, labels, 0.9), (one, other))


def test_the_joint_loss_is_finite_for_sure_predictions() -> None:
    one = torch.tensor([[200.0, 0.0, -200.0]], requires_grad=True)
    loss = joint_loss(one, -one.detach(), torch.tensor([2]), 0.9)
    (gradient,) = torch.autograd.grad(loss.sum(), one)
    assert bool(torch.isfinite(loss).all() & torch.isfinite(gradient).all())


def test_jocor_steps_both_networks_on_the_same_small_joint_losses(registry: Any) -> None:
    one, other, labels = two_tables(3)
    method, run = tabled("jocor", [one, other], labels, registry, rate=0.4, lam=0.85)
    method.train_epoch(40)
    a, b = (log_softmax(t.numpy(), axis=1) for t in (one, other))
    rows = np.arange(9)
    ce = -a[rows, labels.numpy()] - b[rows, labels.numpy()]
    kl = F.kl_div(torch.from_numpy(a), torch.from_numpy(b), reduction="none", log_target=True)
    lk = F.kl_div(torch.from_numpy(b), torch.from_numpy(a), reduction="none", log_target=True)
    losses = 0.15 * ce + 0.85 * (kl + lk).sum(1).numpy()
    small = np.argsort(losses)[: int(0.6 * 9)]
    assert learnt_from(method, run) == [sorted(small.tolist())] * 2
    assert run.losses[0].item() == pytest.approx(losses[small].mean(), rel=1e-9)


def test_jocors_lambda_is_that_of_its_authors() -> None:
    assert JoCoR.paper_params == {"cifar10": {"lam": 0.9}, "cifar100": {"lam": 0.85}}


# -------------------------------------------------------------------------------------- beliefs


@pytest.mark.parametrize("name", ["co-teaching", "co-teaching-plus", "jocor"])
def test_the_belief_knows_more_true_labels_than_were_given(name: str, planted: Planted) -> None:
    session = planted(name, epochs=20, wrong=0.3)
    list(session.epochs())
    belief = session.method.label_belief()
    true = session._train_true
    given = float((session.run.labels == true).float().mean())
    assert float((belief.argmax(1) == true).float().mean()) > given + 0.1
