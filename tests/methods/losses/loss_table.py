"""Every robust loss with its paper's equation, worked out for one sample in plain Python.

The equations are written as the papers have them (explicit exponentials, one-hot vectors, sums over
classes, ``log 0 := A``), and share nothing with the code under test. A new loss is one entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.agce import agce
from methods.bootstrap_hard import bootstrap_hard
from methods.bootstrap_soft import bootstrap_soft
from methods.ce import ce
from methods.focal import focal
from methods.gce import gce
from methods.label_smoothing import label_smoothing
from methods.logit_clip import logit_clip
from methods.mae import mae
from methods.nce_agce import nce_agce
from methods.nce_rce import nce_rce
from methods.sce import sce
from methods.taylor_ce import taylor_ce

Params = dict[str, Any]
LOG_CLAMP = -9.210340371976184
"""ln 1e-4, what released code takes for log 0."""


def softmax(z: list[float]) -> list[float]:
    weights = [math.exp(value) for value in z]
    return [weight / sum(weights) for weight in weights]


def one_hot(y: int, k: int) -> list[float]:
    return [1.0 if c == y else 0.0 for c in range(k)]


def cross_entropy(target: list[float], p: list[float]) -> float:
    return -sum(share * math.log(value) for share, value in zip(target, p, strict=True))


def _ce(z: list[float], y: int) -> float:
    return cross_entropy(one_hot(y, len(z)), softmax(z))


def _gce(z: list[float], y: int, q: float = 0.7) -> float:
    return (1 - softmax(z)[y] ** q) / q


def _label_smoothing(z: list[float], y: int, eps: float = 0.1) -> float:
    k = len(z)
    return cross_entropy([(1 - eps) * e + eps / k for e in one_hot(y, k)], softmax(z))


def _mae(z: list[float], y: int) -> float:
    return sum(abs(e - u) for e, u in zip(one_hot(y, len(z)), softmax(z), strict=True))


def _rce(z: list[float], y: int, log_zero: float) -> float:
    logs = [math.log(e) if e else log_zero for e in one_hot(y, len(z))]
    return -sum(u * value for u, value in zip(softmax(z), logs, strict=True))


def _sce(
    z: list[float], y: int, alpha: float = 0.1, beta: float = 1.0, log_zero: float = LOG_CLAMP
) -> float:
    return alpha * _ce(z, y) + beta * _rce(z, y, log_zero)


def _focal(z: list[float], y: int, gamma: float = 0.5) -> float:
    p = softmax(z)[y]
    return -((1 - p) ** gamma) * math.log(p)


def _nce(z: list[float], y: int) -> float:
    return _ce(z, y) / sum(_ce(z, c) for c in range(len(z)))


def _nce_rce(
    z: list[float], y: int, alpha: float = 1.0, beta: float = 1.0, log_zero: float = LOG_CLAMP
) -> float:
    return alpha * _nce(z, y) + beta * _rce(z, y, log_zero)


def _agce(z: list[float], y: int, a: float = 0.6, q: float = 0.6) -> float:
    return ((a + 1) ** q - (a + softmax(z)[y]) ** q) / q


def _nce_agce(
    z: list[float], y: int, alpha: float = 1.0, beta: float = 4.0, a: float = 6.0, q: float = 1.5
) -> float:
    return alpha * _nce(z, y) + beta * _agce(z, y, a, q)


def _taylor_ce(z: list[float], y: int, t: int = 2) -> float:
    return sum((1 - softmax(z)[y]) ** j / j for j in range(1, t + 1))


def _bootstrap_soft(z: list[float], y: int, beta: float = 0.95, detach: bool = False) -> float:
    p = softmax(z)  # detaching changes the gradient, not the value
    target = [beta * e + (1 - beta) * u for e, u in zip(one_hot(y, len(z)), p, strict=True)]
    return cross_entropy(target, p)


def _bootstrap_hard(z: list[float], y: int, beta: float = 0.8) -> float:
    p = softmax(z)
    best = one_hot(p.index(max(p)), len(z))
    target = [beta * e + (1 - beta) * b for e, b in zip(one_hot(y, len(z)), best, strict=True)]
    return cross_entropy(target, p)


def _logit_clip(z: list[float], y: int, tau: float = 1.5) -> float:
    norm = math.sqrt(sum(value * value for value in z))
    return _ce([tau * value / norm for value in z] if norm >= tau else z, y)


def _agce_bound(a: float, q: float) -> float:
    return ((a + 1) ** q - a**q) / q


@dataclass(frozen=True)
class LossCase:
    """One loss.

    Attributes:
        function: the plugin's function.
        equation: ``(logits, label, **params)`` to the loss of one sample.
        others: parameters to test beside the defaults and the paper's for each data set.
        bound: ``(K, **params)`` to an upper bound of the loss; None where it is unbounded.
        label_sum: ``(K, **params)`` to the loss summed over all labels; None where that depends on
            the prediction.
    """

    function: Callable[..., Tensor]
    equation: Callable[..., float]
    others: tuple[Params, ...] = ()
    bound: Callable[..., float | None] = lambda k, **params: None
    label_sum: Callable[..., float | None] = lambda k, **params: None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.plugin.name)

    @property
    def plugin(self) -> Any:
        """The method class."""
        return self.function.plugin  # type: ignore[attr-defined]

    def resolved(self, params: Params) -> Params:
        """All parameters: the defaults overlaid."""
        return {k: v.default for k, v in self.plugin.parameters().items()} | params

    @property
    def variants(self) -> list[Params]:
        """Parameters to test: defaults, each data set's of the paper, and ``others``."""
        return [{}, *map(dict, self.plugin.paper_params.values()), *self.others]


LOSSES = (
    LossCase(ce, _ce),
    LossCase(
        gce,
        _gce,
        ({"q": 0.2}, {"q": 1.0}),
        bound=lambda k, q: 1 / q,
        label_sum=lambda k, q: k - 1 if q == 1 else None,
    ),
    LossCase(label_smoothing, _label_smoothing, ({"eps": 0.6}, {"eps": 1.0})),
    LossCase(mae, _mae, bound=lambda k: 2, label_sum=lambda k: 2 * (k - 1)),
    LossCase(
        sce,
        _sce,
        ({"log_zero": -4.0}, {"alpha": 0.0, "beta": 2.0}),
        bound=lambda k, alpha, beta, log_zero: None if alpha else -beta * log_zero,
        label_sum=lambda k, alpha, beta, log_zero: None if alpha else -beta * log_zero * (k - 1),
    ),
    LossCase(focal, _focal, ({"gamma": 2.0}, {"gamma": 0.01})),
    LossCase(
        nce_rce,
        _nce_rce,
        ({"log_zero": -4.0}, {"alpha": 1.0, "beta": 0.0}),
        bound=lambda k, alpha, beta, log_zero: alpha - beta * log_zero,
        label_sum=lambda k, alpha, beta, log_zero: alpha - beta * log_zero * (k - 1),
    ),
    LossCase(
        nce_agce,
        _nce_agce,
        ({"alpha": 2.0, "a": 0.3, "q": 0.4},),
        bound=lambda k, alpha, beta, a, q: alpha + beta * _agce_bound(a, q),
    ),
    LossCase(
        agce,
        _agce,
        ({"a": 0.1, "q": 2.5}, {"a": 6.0, "q": 1.0}),
        bound=lambda k, a, q: _agce_bound(a, q),
        label_sum=lambda k, a, q: k - 1 if q == 1 else None,
    ),
    LossCase(
        taylor_ce,
        _taylor_ce,
        ({"t": 1}, {"t": 6}),
        bound=lambda k, t: sum(1 / j for j in range(1, t + 1)),
        label_sum=lambda k, t: k - 1 if t == 1 else None,
    ),
    LossCase(bootstrap_soft, _bootstrap_soft, ({"beta": 0.3}, {"beta": 0.3, "detach": True})),
    LossCase(bootstrap_hard, _bootstrap_hard, ({"beta": 0.3},)),
    LossCase(
        logit_clip,
        _logit_clip,
        ({"tau": 1.0}, {"tau": 6.0}),
        bound=lambda k, tau: math.log1p((k - 1) * math.exp(2 * tau)),
    ),
)


def variants(
    wanted: Callable[[LossCase, Params], bool] = lambda case, params: True,
) -> pytest.MarkDecorator:
    """Runs a test for each loss with each of its parameters (``case``, ``params``)."""
    return pytest.mark.parametrize(
        ("case", "params"),
        [
            pytest.param(case, p, id=" ".join([case.name, *(f"{k}={v}" for k, v in p.items())]))
            for case in LOSSES
            for p in case.variants
            if wanted(case, p)
        ],
    )


def bound(case: LossCase, params: Params, k: int = 10) -> float | None:
    """The bound of a loss with these parameters, if it has one."""
    return case.bound(k, **case.resolved(params))


ROWS = {
    3: [[0.3, -1.2, 2.0], [0.0, 0.0, 0.0], [-7.0, 5.0, 4.0], [0.1, 0.2, -0.3], [12.0, -3.0, 0.5]],
    10: [
        [0.5, -0.4, 1.9, 0.0, -2.2, 0.7, 0.31, -1.0, 3.3, 0.2],
        [0.02, 0.01, 0.0, -0.01, 0.03, 0.04, -0.05, 0.06, 0.07, -0.08],
        [9.0, -9.0, 3.0, 1.0, 1.5, -2.0, 0.0, 2.5, -4.0, 8.0],
    ],
}
"""Logits by number of classes."""


def every_label(k: int) -> tuple[Tensor, Tensor]:
    """Each row of ``ROWS[k]`` with each of the K labels, float64."""
    rows = torch.tensor(ROWS[k], dtype=torch.float64)
    return rows.repeat_interleave(k, 0), torch.arange(k).repeat(len(rows))
