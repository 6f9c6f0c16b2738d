"""PRODEN, RC and CAVL: what confidences are after every batch of a real training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from partial_trace import Array, Trace, array, batch_of, on_table, restricted, softmax

from bench.training.session import Session

Planted = Callable[..., Session]


def cross_entropy(z: Array, targets: Array) -> float:
    return float(-(targets * np.log(softmax(z))).sum(1).mean())


def likeliest_activation(z: Array, sets: Array) -> Array:
    """One-hot at the candidate with the largest ``|z - 1| z``, one sample after the other."""
    chosen = np.zeros_like(z)
    for i, row in enumerate(z):
        inside = np.flatnonzero(sets[i])
        chosen[i, max(inside, key=lambda k: abs(row[k] - 1) * row[k])] = 1
    return chosen


@pytest.mark.parametrize("name", ["proden", "rc", "cavl", "pop", "crdpll", "able", "pico", "plcp"])
def test_confidences_start_equal_and_stay_inside_the_set(name: str, planted: Planted) -> None:
    session = planted(name, wrong=0.5)
    sets = array(session.run.candidates)
    np.testing.assert_allclose(array(session.method.confidence), sets / sets.sum(1)[:, None])  # type: ignore[attr-defined]
    for _ in session.epochs():
        confidence = array(session.method.label_belief())
        assert (confidence[sets == 0] == 0).all()
        np.testing.assert_allclose(confidence.sum(1), 1, atol=1e-5)
        assert np.abs(confidence - sets / sets.sum(1)[:, None]).max() > 0 or name == "pico"


def test_proden_learns_from_the_last_pass_of_each_sample(planted: Planted) -> None:
    session = planted("proden", epochs=3, wrong=0.5)
    trace = Trace(session)
    sets = array(session.run.candidates)
    confidence = sets / sets.sum(1)[:, None]
    list(session.epochs())
    assert len(trace.logits[0]) == len(trace.rows)
    for rows, z, loss in zip(trace.rows, trace.logits[0], trace.losses, strict=True):
        assert loss == pytest.approx(cross_entropy(z, confidence[rows]), abs=1e-5)
        confidence[rows] = restricted(softmax(z), sets[rows])
    np.testing.assert_allclose(array(session.method.label_belief()), confidence, atol=1e-6)


@pytest.mark.parametrize("name", ["rc", "cavl"])
def test_rc_and_cavl_learn_from_a_second_pass_after_the_step(name: str, planted: Planted) -> None:
    session = planted(name, epochs=3, wrong=0.5)
    trace = Trace(session)
    sets = array(session.run.candidates)
    confidence = sets / sets.sum(1)[:, None]
    list(session.epochs())
    before, after = trace.logits[0][::2], trace.logits[0][1::2]
    for rows, z, second, loss in zip(trace.rows, before, after, trace.losses, strict=True):
        assert loss == pytest.approx(cross_entropy(z, confidence[rows]), abs=1e-5)
        confidence[rows] = (
            restricted(softmax(second), sets[rows])
            if name == "rc"
            else likeliest_activation(second, sets[rows])
        )
    np.testing.assert_allclose(array(session.method.label_belief()), confidence, atol=1e-6)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(before, after, strict=True))


def test_cavl_never_chooses_outside_the_set_where_all_candidates_are_negative(
    planted: Planted,
) -> None:
    sets = np.array([[0, 1, 1, 0], [1, 0, 0, 1.0]])
    session = on_table(planted("cavl"), sets)
    z = np.array([[9.0, -3.0, -0.5, 9.0], [-2.0, 5.0, 5.0, -1.0]])
    session.method.loss(batch_of(z))
    chosen = session.method.label_belief()
    # -0.5 * 1.5 = -0.75 beats -3 * 4 = -12; -1 * 2 = -2 beats -2 * 3 = -6.
    assert torch.equal(chosen, torch.tensor([[0, 0, 1, 0], [0, 0, 0, 1.0]], dtype=chosen.dtype))


def test_cavl_may_prefer_a_smaller_logit_as_its_activation_value_does(planted: Planted) -> None:
    session = on_table(planted("cavl"), np.ones((1, 3)))
    session.method.loss(batch_of(np.array([[0.95, 0.5, 0.1]])))
    # |z - 1| z: 0.0475, 0.25, 0.09
    assert session.method.label_belief()[0].tolist() == [0, 1, 0]


def test_proden_and_rc_are_plain_cross_entropy_where_every_set_has_one_label(
    planted: Planted,
) -> None:
    """One and the same training: confidences cannot move."""
    weights = []
    for name in ("proden", "cc"):
        session = planted(name, wrong=0)
        assert bool((session.run.candidates.sum(1) == 1).all())
        list(session.epochs())
        weights.append(array(session.networks[0].head.weight))
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-5)
