"""POP: which candidates leave a set, when, and what becomes of the threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from partial_trace import Trace, array, on_table, restricted, softmax

from bench.training.session import Session

Planted = Callable[..., Session]

SETS = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 1.0]])


def before_purifying(planted: Planted, means: list[list[float]]) -> Any:
    """The method on four samples with these confidences over the whole window."""
    method: Any = on_table(planted("pop", epochs=50), SETS).method
    assert method.span == 5
    method.history = torch.tensor(means, dtype=torch.float64).repeat(5, 1, 1)
    method.confidence = torch.tensor(means, dtype=torch.float64)
    return method


MEANS = [
    [0.9, 0.09996, 0.00004, 0],
    [0.5, 0.5, 0, 0],
    [0, 0, 1.0, 0],
    [0.9989, 0.0005, 0.0005, 0.0001],
]


def test_candidates_below_the_threshold_leave_and_no_others(planted: Planted) -> None:
    method = before_purifying(planted, MEANS)
    method.purify()
    # Relative to the largest 0.001 times 0.9 and 0.9989: only 0.00004, 0.0005 and 0.0001 are below.
    expected = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]
    assert method.sets.tolist() == expected


def test_what_remains_of_the_mean_confidence_is_the_new_one(planted: Planted) -> None:
    method = before_purifying(planted, MEANS)
    method.confidence = torch.full_like(method.confidence, 0.25)
    method.purify()
    expected = restricted(np.array(MEANS), array(method.sets))
    np.testing.assert_allclose(array(method.confidence), expected, atol=1e-12)


def test_the_sets_of_the_run_are_left_as_they_are(planted: Planted) -> None:
    method = before_purifying(planted, MEANS)
    method.purify()
    assert method.run.candidates.tolist() == SETS.tolist()


def test_no_set_is_ever_emptied(planted: Planted) -> None:
    method = before_purifying(planted, MEANS)
    method.theta = torch.tensor(0.4)
    rng = np.random.default_rng(0)
    for _ in range(30):
        drawn = restricted(rng.random(SETS.shape) ** 8, array(method.sets))
        method.history = torch.tensor(drawn).repeat(5, 1, 1)
        method.purify()
        assert bool((method.sets.sum(1) >= 1).all())
        np.testing.assert_allclose(array(method.confidence).sum(1), 1)
    assert int(method.sets.sum()) == 4


def test_the_threshold_grows_only_when_hardly_any_candidate_left(planted: Planted) -> None:
    method = before_purifying(planted, MEANS)
    method.purify()
    assert float(method.theta) == pytest.approx(1e-3)
    method.history = method.confidence.repeat(5, 1, 1)
    method.purify()
    assert float(method.theta) == pytest.approx(1e-3 * 1.001)
    method.theta = torch.tensor(0.4001)
    method.purify()
    assert float(method.theta) == pytest.approx(0.4001)


def test_a_label_that_left_gets_no_confidence_again(planted: Planted) -> None:
    method = before_purifying(planted, MEANS)
    method.purify()
    method.renew(torch.arange(4), torch.tensor([[0, 0, 50.0, 0]] * 4, dtype=torch.float64))
    np.testing.assert_allclose(array(method.confidence)[0], [0.5, 0.5, 0, 0], atol=1e-12)
    assert array(method.confidence)[3].tolist() == [1, 0, 0, 0]


def test_the_sets_change_after_the_warm_up_and_every_window_alone(planted: Planted) -> None:
    """Of 50 epochs the warm-up is 10, a window 5; θ grows at each purification without leavers."""
    method: Any = before_purifying(planted, MEANS)
    method.confidence = torch.tensor(SETS / SETS.sum(1)[:, None])
    grown = []
    for epoch in range(50):
        before = float(method.theta)
        method.on_epoch_end(epoch)
        if float(method.theta) != before:
            grown.append(epoch)
    # Doubted candidates of the old window are gone from it by epoch 10, so that none leaves.
    assert grown == list(range(10, 50, 5))


def test_a_training_is_that_of_proden_with_the_window_of_its_last_epochs(
    planted: Planted,
) -> None:
    session = planted("pop", epochs=30, wrong=0.5, window=3, warmup_epochs=30)
    trace = Trace(session)
    method: Any = session.method
    sets = array(session.run.candidates)
    confidence, kept = sets / sets.sum(1)[:, None], []
    running = session.epochs()
    for _ in range(4):
        start = len(trace.rows)
        next(running)
        for rows, z in zip(trace.rows[start:], trace.logits[0][start:], strict=True):
            confidence[rows] = restricted(softmax(z), sets[rows])
        kept.append(confidence.copy())
    expected = [kept[3], kept[1], kept[2]]
    np.testing.assert_allclose(array(method.history), np.stack(expected), atol=1e-6)
