"""Joint optimisation and PENCIL: labels that are replaced, and the phases around it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import softmax

from bench.api import Batch
from bench.training.session import Session

Planted = Callable[..., Session]


def right(session: Session, belief: torch.Tensor) -> float:
    return float((belief.argmax(1) == session._train_true).float().mean())


# ---------------------------------------------------------------------------- joint optimisation


def recorded(session: Session) -> list[np.ndarray]:
    """Predictions that come up in training, a row for each epoch; grows while training."""
    method, run = session.method, session.run
    kept_batches, kept_logits = run.batches, method.logits
    rows: list[np.ndarray] = []
    current: list[torch.Tensor] = []

    def batches(epoch: int, repeat: int = 0):
        rows.append(np.zeros((run.n, run.n_classes)))
        for batch in kept_batches(epoch, repeat):
            current[:] = [batch.index]
            yield batch

    def logits(x: torch.Tensor) -> torch.Tensor:
        found = kept_logits(x)
        if current and len(current[0]) == len(x) and found.requires_grad:
            rows[-1][current[0].numpy()] = softmax(found.detach().double().numpy(), axis=1)
        return found

    run.batches = batches  # type: ignore[method-assign]
    method.logits = logits  # type: ignore[method-assign]
    return rows


def test_refined_labels_are_the_mean_of_the_last_predictions(planted: Planted) -> None:
    session = planted("joint-optimization", epochs=16, window_share=3 / 16)
    first, start, window = session.method.epochs_of()
    assert (first, start, window) == (10, 4, 3)
    rows = recorded(session)
    given = F.one_hot(session.run.labels, 4).float()
    for epoch, _ in enumerate(session.epochs()):
        labels = session.method.label_belief()
        if epoch + 1 < start:
            assert torch.equal(labels, given)
        else:
            end = min(epoch + 1, first)
            expected = np.mean(rows[end - window : end], axis=0)
            np.testing.assert_allclose(labels.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("epochs", "phases"), [(320, (200, 70, 10)), (2, (1, 1, 1))])
def test_phases_are_the_papers_share_of_a_run(
    planted: Planted, epochs: int, phases: tuple[int, int, int]
) -> None:
    assert planted("joint-optimization", epochs=epochs).method.epochs_of() == phases


def test_the_second_phase_starts_from_fresh_weights_and_keeps_the_labels(planted: Planted) -> None:
    session = planted("joint-optimization", epochs=10)
    first = session.method.epochs_of()[0]
    initial = session.networks[0].head.weight.detach().clone()
    rates, weights, labels = [], [], []
    kept = session.run.batches

    def batches(epoch: int, repeat: int = 0):
        weights.append(session.networks[0].head.weight.detach().clone())
        if epoch == first:
            assert not session.trainer._optimiser.state  # no momentum is left
        yield from kept(epoch, repeat)

    session.run.batches = batches  # type: ignore[method-assign]
    for record in session.epochs():
        rates.append(record.lr)
        labels.append(session.method.label_belief().clone())
    assert torch.equal(weights[0], initial)
    grown = (weights[first - 1] - initial).norm()
    assert (weights[first] - weights[first - 1]).norm() > 0.5 * grown
    assert not torch.equal(weights[first], initial)
    bound = 1 / weights[first].shape[1] ** 0.5  # of the layer's uniform initial weights
    assert weights[first].abs().max() <= bound
    assert all(torch.equal(rows, labels[first - 1]) for rows in labels[first:])
    assert rates[:first] == [session.protocol.optimiser.lr] * first
    assert rates[first] == session.protocol.optimiser.lr
    assert rates[-1] < rates[first]


@pytest.mark.parametrize("name", ["joint-optimization", "pencil"])
def test_corrected_labels_are_closer_to_the_truth(planted: Planted, name: str) -> None:
    session = planted(name, epochs=40, wrong=0.25)
    given = F.one_hot(session.run.labels, 4).float()
    list(session.epochs())
    assert right(session, session.method.label_belief()) > right(session, given) + 0.1


# --------------------------------------------------------------------------------------- PENCIL


def test_label_logits_start_at_ten_and_move_in_the_second_stage_alone(planted: Planted) -> None:
    session = planted("pencil", epochs=10)
    first, second = session.method.stages()
    start = 10 * F.one_hot(session.run.labels, 4).float()
    assert (first, second) == (2, 6)
    seen = [session.method.label_logits.clone()]
    rates = []
    for record in session.epochs():
        seen.append(session.method.label_logits.clone())
        rates.append(record.lr)
    assert all(torch.equal(rows, start) for rows in seen[: first + 1])
    assert all(not torch.equal(a, b) for a, b in pairwise(seen[first : second + 1]))
    assert all(torch.equal(rows, seen[second]) for rows in seen[second:])
    assert rates[:second] == [session.protocol.optimiser.lr] * second
    assert rates[second] == session.protocol.optimiser.lr
    assert min(rates) > 0  # the authors' code divides integers: no rate is left for stage 3


def test_weights_still_learn_at_the_end_of_the_third_stage(planted: Planted) -> None:
    session = planted("pencil", epochs=10)
    before: list[torch.Tensor] = []
    for _ in session.epochs():
        before.append(session.networks[0].head.weight.detach().clone())
    assert not torch.equal(before[-1], before[-2])


@pytest.mark.parametrize("compatibility", ["paper", "code"])
def test_label_steps_follow_the_gradient_of_the_loss(planted: Planted, compatibility: str) -> None:
    """λ times the derivative of a batch's mean loss in batches of 128, by automatic means."""
    session = planted("pencil", epochs=320, compatibility=compatibility)
    method = session.method
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(0, 2, (128, 4)))
    labels = torch.from_numpy(rng.normal(0, 2, (128, 4))).requires_grad_()
    given = torch.from_numpy(rng.integers(0, 4, 128))
    p = z.softmax(1)
    d = labels.softmax(1)
    compatible = (
        F.cross_entropy(d, given)
        if compatibility == "code"
        else -(d[torch.arange(128), given].log()).mean()
    )
    loss = (p * (p / d).log()).sum(1).mean() / 4 + method.alpha * compatible
    loss = loss - method.beta * (p * p.log()).sum(1).mean() / 4
    loss.backward()
    assert labels.grad is not None
    found = method.moved(labels.detach(), p, given)
    torch.testing.assert_close(found, labels.detach() - method.lam * labels.grad)
    mine = method.losses(z, labels.detach(), given, second_stage=True).mean()
    torch.testing.assert_close(mine, loss.detach())


def test_label_steps_do_not_depend_on_the_batch_and_number_as_in_the_paper(
    planted: Planted,
) -> None:
    rng = np.random.default_rng(0)
    labels, p = torch.from_numpy(rng.normal(0, 2, (6, 4))), torch.full((6, 4), 0.25).double()
    given = torch.arange(6) % 4
    long, short = planted("pencil", epochs=320).method, planted("pencil", epochs=80).method
    together, alone = long.moved(labels, p, given), long.moved(labels[:1], p[:1], given[:1])
    torch.testing.assert_close(together[:1], alone)
    expected = labels
    for _ in range(4):
        expected = long.moved(expected, p, given)
    torch.testing.assert_close(short.moved(labels, p, given), expected)


def test_the_papers_compatibility_outweighs_a_sure_network(planted: Planted) -> None:
    """Where it comes to rest, ``(p/K + α e_y) / (1/K + α)``, the given label is still the largest.

    This is why the form of the authors' code, which lets go of a label, is the default.
    """
    given = torch.zeros(1, dtype=torch.int64)
    p = torch.tensor([[0.01, 0.97, 0.01, 0.01]])
    rest = {}
    for form in ("paper", "code"):
        method = planted("pencil", epochs=1, compatibility=form).method
        method.alpha = 0.4 if form == "paper" else 0.1
        labels = 10 * F.one_hot(given, 4).float()
        for _ in range(20):
            labels = method.moved(labels, p, given)
        rest[form] = labels.softmax(1)
    expected = (p / 4 + 0.4 * F.one_hot(given, 4)) / (1 / 4 + 0.4)
    torch.testing.assert_close(rest["paper"], expected, atol=1e-3, rtol=0)
    assert rest["paper"].argmax() == 0
    assert rest["code"].argmax() == 1


def test_a_whole_run_of_two_epochs_has_all_stages_it_can(planted: Planted) -> None:
    session = planted("pencil", epochs=2)
    assert session.method.stages() == (1, 1)
    assert len(list(session.epochs())) == 2
    assert isinstance(next(session.run.batches(0)), Batch)
