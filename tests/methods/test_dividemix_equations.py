"""DivideMix's targets and its course, worked out from the paper's equations in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import Tensor

from bench.training.recipes.mixture import clean_probability
from bench.training.session import Session
from methods import dividemix

Planted = Callable[..., Session]


def sharpened(p: np.ndarray[Any, Any], temperature: float) -> np.ndarray[Any, Any]:
    powered = p ** (1 / temperature)
    return np.asarray(powered / powered.sum(1, keepdims=True))


def tabled(session: Session, tables: list[np.ndarray[Any, Any]]) -> list[Any]:
    """Views are row numbers of planted logits; the second view of a sample has other ones."""
    calls = iter(range(100))

    def view(index: Tensor, kind: str = "weak") -> Tensor:
        return index + session.run.n * (next(calls) % 2)

    session.run.view = view  # type: ignore[method-assign]
    return [partial(torch.index_select, torch.from_numpy(table), 0) for table in tables]


def some_tables(n: int) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 2, (2 * n, 4)) for _ in range(2)]


def test_a_trusted_target_is_the_sharpened_mean_of_label_and_own_prediction(
    planted: Planted,
) -> None:
    """Equations 3 and 4, the prediction averaged over two views of the network that learns."""
    session = planted("dividemix", temperature=0.5)
    n = session.run.n
    tables = some_tables(n)
    network, _ = tabled(session, tables)
    index, clean = torch.tensor([3, 0, 7]), torch.linspace(0.5, 1, n)
    x, targets = session.method.trusted_part(network, index, clean)
    rows = index.numpy()
    p = (softmax(tables[0][rows], axis=1) + softmax(tables[0][rows + n], axis=1)) / 2
    w = clean.numpy()[rows, None]
    expected = sharpened(w * np.eye(4)[session.run.labels.numpy()[rows]] + (1 - w) * p, 0.5)
    assert x.tolist() == [*rows, *(rows + n)]
    np.testing.assert_allclose(targets.numpy(), np.tile(expected, (2, 1)), atol=1e-6)


def test_an_untrusted_target_is_the_sharpened_guess_of_both_networks_on_both_views(
    planted: Planted,
) -> None:
    session = planted("dividemix", temperature=0.4)
    n = session.run.n
    tables = some_tables(n)
    networks = tabled(session, tables)
    index = torch.tensor([5, 1])
    x, targets = session.method.untrusted_part(networks, index)
    rows = index.numpy()
    four = [softmax(table[rows + k * n], axis=1) for table in tables for k in (0, 1)]
    expected = sharpened(np.mean(four, axis=0), 0.4)
    assert x.tolist() == [*rows, *(rows + n)]
    np.testing.assert_allclose(targets.numpy(), np.tile(expected, (2, 1)), atol=1e-6)


def test_the_mixture_is_fitted_to_each_networks_own_losses_of_all_given_labels(
    planted: Planted,
) -> None:
    session = planted("dividemix", epochs=8)
    method, run = session.method, session.run
    tables = [table[: run.n] for table in some_tables(run.n)]
    by_network = dict(zip(map(id, session.networks), tables, strict=True))
    run.predict = lambda network: torch.from_numpy(by_network[id(network)])  # type: ignore[method-assign]
    method.match = lambda which, epoch: 0.0  # type: ignore[attr-defined]
    method.train_epoch(method.warmup)
    labels = run.labels.numpy()
    for which, table in enumerate(tables):
        losses = -log_softmax(table, axis=1)[np.arange(run.n), labels]
        expected = clean_probability(torch.from_numpy(losses))
        torch.testing.assert_close(method.clean[which], expected)


def test_the_confidence_penalty_adds_the_negative_entropy_to_the_warm_up(planted: Planted) -> None:
    """Equation 2: what is stepped on is CE + Σ p log p, and CE alone without it."""
    found = {}
    for penalty in (False, True):
        session = planted("dividemix", confidence_penalty=penalty)
        steps: list[float] = []
        session.run.step = lambda loss, steps=steps: steps.append(float(loss.detach()))  # type: ignore[method-assign]
        z = np.random.default_rng(1).normal(0, 2, (session.run.n, 4))
        batch = next(session.run.batches(0))
        session.run.batches = lambda epoch, repeat=0, batch=batch: iter([batch])  # type: ignore[method-assign]
        rows = torch.from_numpy(z[: len(batch.y)])
        session.method.networks = (lambda x, rows=rows: rows,) * 2  # type: ignore[assignment]
        session.method.warm_up(0, 0)
        found[penalty] = steps[0]
    log_p = log_softmax(z[: len(batch.y)], axis=1)
    ce = -log_p[np.arange(len(batch.y)), batch.y.numpy()].mean()
    assert found[False] == pytest.approx(ce, rel=1e-6)
    assert found[True] == pytest.approx(ce + (np.exp(log_p) * log_p).sum(1).mean(), rel=1e-6)


def test_the_weight_of_the_untrusted_rises_over_sixteen_epochs_after_the_warm_up(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = planted("dividemix", epochs=200, weight_untrusted=25.0)
    method = session.method
    assert method.warmup == 10
    weights: list[float] = []

    def spy(*args: Any, weight_untrusted: float, **kwargs: Any) -> Tensor:
        weights.append(weight_untrusted)
        return torch.zeros((), requires_grad=True)

    monkeypatch.setattr(dividemix, "mixmatch_loss", spy)
    session.run.step = lambda loss: None  # type: ignore[method-assign]
    method.clean[:] = 0.9
    for epoch, expected in ((10, 0.0), (18, 12.5), (26, 25.0), (150, 25.0)):
        session.run.begin_epoch(epoch)
        method.match(0, epoch)
        assert weights[0] == pytest.approx(expected)
        weights.clear()
