"""PLCP: both confidences, the blur, and the loss that ties base and partner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from partial_trace import Array, Trace, array, restricted, softmax

from bench.training.session import Session

Planted = Callable[..., Session]


def blur(shares: Array, sets: Array, kappa: float) -> Array:
    return restricted(np.exp(kappa * shares), sets)


@pytest.mark.parametrize(
    ("momentum", "collaborative", "kappa"), [(0.5, 2.0, 0.36787944), (0.9, 0.5, 3.0)]
)
def test_a_training_follows_the_equations_batch_by_batch(
    momentum: float, collaborative: float, kappa: float, planted: Planted
) -> None:
    params = {"momentum": momentum, "collaborative": collaborative, "kappa": kappa}
    session = planted("plcp", epochs=3, wrong=0.5, **params)
    trace = Trace(session)
    method: Any = session.method
    sets = array(session.run.candidates)
    base_says, partner_says = sets / sets.sum(1)[:, None], 1 - sets
    np.testing.assert_array_equal(array(method.wrong), partner_says)
    list(session.epochs())
    steps = zip(trace.rows, trace.logits[0], trace.logits[1], trace.losses, strict=True)
    for rows, base, partner, loss in steps:
        s, p, q = sets[rows], softmax(base), 1 / (1 + np.exp(-partner))
        b, t = blur(1 - partner_says[rows], s, kappa), 1 - blur(base_says[rows], s, kappa)
        binary = -(t * np.log(q) + (1 - t) * np.log(1 - q)).mean(1)
        each = -(b * np.log(p)).sum(1) + binary + collaborative * (p * q).sum(1)
        assert loss == pytest.approx(each.mean(), rel=1e-4)
        moved = restricted(momentum * base_says[rows] + (1 - momentum) * p, s)
        base_says[rows] = moved
        kept = momentum * partner_says[rows] + (1 - momentum) * q
        partner_says[rows] = np.where(s == 1, kept, 1)
    np.testing.assert_allclose(array(method.confidence), base_says, atol=1e-5)
    np.testing.assert_allclose(array(method.wrong), partner_says, atol=1e-5)


def test_the_default_blur_is_that_of_the_authors_exponent(planted: Planted) -> None:
    method: Any = planted("plcp").method
    assert method.kappa == pytest.approx(np.exp(-1), rel=1e-7)
    found = method.blurred(torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([[1.0, 1, 0, 0]]))
    share = np.exp(np.exp(-1)) / (np.exp(np.exp(-1)) + 1)
    np.testing.assert_allclose(found.numpy(), [[share, 1 - share, 0, 0]], atol=1e-6)


def test_certain_and_uncertain_confidences_are_blurred_in_their_order(planted: Planted) -> None:
    method: Any = planted("plcp").method
    shares = torch.tensor([[0.7, 0.2, 0.1, 0.0]])
    found = method.blurred(shares, torch.tensor([[1.0, 1, 1, 0]]))[0]
    assert found[0] > found[1] > found[2] > found[3] == 0
    assert float(found[0]) < 0.7


def test_labels_outside_the_set_stay_wrong_for_certain(planted: Planted) -> None:
    session = planted("plcp", epochs=2, wrong=0.5)
    list(session.epochs())
    method: Any = session.method
    outside = session.run.candidates == 0
    assert bool((method.wrong[outside] == 1).all())
    assert bool((method.wrong[~outside] < 1).all())
    assert bool((method.confidence[outside] == 0).all())


def test_the_base_alone_predicts(planted: Planted) -> None:
    session = planted("plcp", epochs=1)
    list(session.epochs())
    x = session.run.view(torch.arange(8), "plain")
    session.networks[0].eval()
    with torch.no_grad():
        torch.testing.assert_close(session.method.logits(x), session.networks[0](x))
    assert len(session.method.predictors()) == 1
