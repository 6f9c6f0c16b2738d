"""PiCO: prototypes, confidences that follow them, the queue, both contrasts, the moving average."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from partial_trace import Array, Trace, array

from bench.training.session import Session

Planted = Callable[..., Session]


def unit(rng: np.random.Generator, n: int, d: int = 128) -> Array:
    vectors = rng.normal(size=(n, d))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def tensor(values: Array) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


@pytest.fixture
def pico(planted: Planted) -> Any:
    """The method before its first epoch: 144 samples of four classes."""
    return planted("pico", epochs=2, wrong=0.5).method


def test_prototypes_are_the_normalised_moving_average_of_their_class_in_order(pico: Any) -> None:
    rng = np.random.default_rng(0)
    expected = np.zeros((4, 128))
    for _ in range(5):
        q, label = unit(rng, 30), rng.integers(0, 3, 30)
        for vector, c in zip(q, label, strict=True):
            expected[c] = 0.99 * expected[c] + 0.01 * vector
        lengths = np.linalg.norm(expected, axis=1, keepdims=True)
        expected = expected / np.where(lengths > 0, lengths, 1)
        pico.move_prototypes(tensor(q), torch.from_numpy(label))
    np.testing.assert_allclose(array(pico.prototypes), expected, atol=1e-5)
    assert (array(pico.prototypes)[3] == 0).all()


def test_later_samples_weigh_more_in_a_prototype(pico: Any) -> None:
    pico.gamma = 0.5
    first, last = np.eye(2, 128)
    pico.move_prototypes(tensor(np.stack([first, last])), torch.tensor([0, 0]))
    found = array(pico.prototypes)[0]
    assert found[1] == pytest.approx(2 * found[0])


def test_confidences_move_toward_the_nearest_known_prototype_of_a_candidate(pico: Any) -> None:
    pico.prototypes[[0, 1, 2]] = tensor(np.eye(3, 128))
    sets = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 0, 1]])
    start = sets / sets.sum(1, keepdim=True)
    rows = torch.tensor([5, 0, 7, 9])
    pico.confidence[rows] = start
    near = tensor(np.array([[0.1, 0.7, 0.9, 0], [0.9, -0.6, -0.5, 0], [-0.9, 0, 0, 0], [0.0] * 4]))
    pico.follow_prototypes(rows, near, sets, 0.9)
    # Nearest among known candidates: 1, 2, 0 (class 3 has no prototype), and none at all.
    target = torch.tensor([[0, 1.0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    torch.testing.assert_close(pico.confidence[rows], 0.9 * start + 0.1 * target)


def test_the_queue_forgets_its_oldest_entries_first(pico: Any) -> None:
    pico.kept, pico.kept_label = torch.zeros(5, 128), torch.full((5,), -1)
    sent: list[int] = []
    for labels in ([0, 1, 2], [3, 0, 1], [2, 3, 0, 1]):
        sent += labels
        pico.put(torch.tensor(labels).float()[:, None].repeat(1, 128), torch.tensor(labels))
        filled = pico.kept_label >= 0
        assert sorted(pico.kept_label[filled].tolist()) == sorted(sent[-5:])
        assert torch.equal(pico.kept[filled][:, 0], pico.kept_label[filled].float())


def test_a_batch_larger_than_the_queue_leaves_its_last_entries(pico: Any) -> None:
    pico.kept, pico.kept_label = torch.zeros(2, 128), torch.full((2,), -1)
    pico.put(torch.zeros(5, 128), torch.tensor([0, 1, 2, 3, 1]))
    assert sorted(pico.kept_label.tolist()) == [1, 3]


def test_the_supervised_contrast_is_that_of_a_loop_over_positives(pico: Any) -> None:
    rng = np.random.default_rng(1)
    q, k, kept = unit(rng, 6), unit(rng, 6), unit(rng, 9)
    label, kept_label = rng.integers(0, 3, 6), rng.integers(0, 4, 9)
    pico.kept[:9], pico.kept_label[:9] = tensor(kept), torch.from_numpy(kept_label)
    everything, labels = np.vstack([q, k, kept]), np.concatenate([label, label, kept_label])
    expected = 0.0
    for i in range(6):
        others = [a for a in range(len(labels)) if a != i]
        scale = sum(np.exp(q[i] @ everything[a] / 0.07) for a in others)
        positives = [a for a in others if labels[a] == label[i]]
        shares = [np.log(np.exp(q[i] @ everything[a] / 0.07) / scale) for a in positives]
        expected -= float(np.mean(shares)) / 6
    found = pico.contrast(tensor(q), tensor(k), torch.from_numpy(label))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_the_first_contrast_knows_only_the_own_view_and_the_queue(pico: Any) -> None:
    rng = np.random.default_rng(2)
    q, k, kept = unit(rng, 6), unit(rng, 6), unit(rng, 9)
    pico.kept[:9], pico.kept_label[:9] = tensor(kept), torch.zeros(9, dtype=torch.int64)
    own = np.exp((q * k).sum(1) / 0.07)
    against = np.exp(q @ kept.T / 0.07).sum(1)
    expected = -np.log(own / (own + against)).mean()
    assert float(pico.instance_contrast(tensor(q), tensor(k))) == pytest.approx(expected, rel=1e-4)


def test_confidences_rest_in_the_first_epochs_and_then_move_by_phi(planted: Planted) -> None:
    epochs = 4
    session = planted("pico", epochs=epochs, wrong=0.5, start_epochs=2)
    sets = array(session.run.candidates)
    before = sets / sets.sum(1)[:, None]
    for epoch, _ in enumerate(session.epochs()):
        after = array(session.method.label_belief())
        if epoch < 2:
            np.testing.assert_allclose(after, before, atol=1e-7)
        else:
            phi = 0.95 + (0.8 - 0.95) * epoch / epochs
            chosen = (after - phi * before) / (1 - phi)
            np.testing.assert_allclose(chosen.max(1), 1, atol=1e-4)
            np.testing.assert_allclose(np.abs(chosen).sum(1), 1, atol=1e-4)
            assert (sets[np.arange(len(sets)), chosen.argmax(1)] == 1).all()
        before = after


def test_the_second_network_is_the_moving_average_of_the_first(planted: Planted) -> None:
    session = planted("pico", epochs=1, average=0.9)
    method: Any = session.method
    run: Any = session.run
    weight = session.networks[0].head.weight
    slow, step = array(weight), run.step

    def stepped(loss: torch.Tensor) -> None:
        nonlocal slow
        step(loss)
        slow = 0.9 * slow + 0.1 * array(weight)

    run.step = stepped
    list(session.epochs())
    np.testing.assert_allclose(array(method.slow_network.head.weight), slow, atol=1e-5)
    assert np.abs(slow - array(weight)).max() > 1e-4
    assert not any(parameter.requires_grad for parameter in method.slow_network.parameters())


def test_confidences_are_judged_by_the_prototypes_before_the_batch(planted: Planted) -> None:
    """In the first epoch that follows prototypes the first batch must not see its own samples."""
    session = planted("pico", epochs=2, wrong=0.5)
    method: Any = session.method
    order: list[str] = []
    for name in ("follow_prototypes", "move_prototypes", "put"):
        original = getattr(method, name)

        def noted(*args: Any, _name: str = name, _original: Any = original) -> None:
            order.append(_name)
            _original(*args)

        setattr(method, name, noted)
    list(session.epochs())
    n = len(order) // 5
    first, second = ["move_prototypes", "put"], ["follow_prototypes", "move_prototypes", "put"]
    assert order == first * n + second * n


def test_the_weight_of_the_contrast_is_a_half(planted: Planted) -> None:
    session = planted("pico", epochs=2, wrong=0.5)
    trace = Trace(session)
    method: Any = session.method
    contrasts: list[float] = []
    for name in ("contrast", "instance_contrast"):
        original = getattr(method, name)

        def noted(*args: Any, _original: Any = original) -> torch.Tensor:
            found: torch.Tensor = _original(*args)
            contrasts.append(float(found))
            return found

        setattr(method, name, noted)
    running = session.epochs()
    next(running)
    sets = array(session.run.candidates)
    equal = sets / sets.sum(1)[:, None]
    for rows, z, loss, contrast in zip(
        trace.rows, trace.logits[0], trace.losses, contrasts, strict=True
    ):
        log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
        expected = -(equal[rows] * log_p).sum(1).mean() + 0.5 * contrast
        assert loss == pytest.approx(expected, rel=1e-4)
    list(running)
