"""The conditions under which papers prove tolerance of noise: symmetric and asymmetric losses."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_table import LOSSES, LossCase, Params, every_label, variants
from torch import Tensor

from methods.agce import agce
from methods.ce import ce
from methods.mae import mae
from methods.nce_rce import nce_rce
from methods.taylor_ce import taylor_ce


def label_sums(case: LossCase, params: Params, logits: Tensor) -> Tensor:
    """Σ_c loss(z, c) of each row."""
    k = logits.shape[1]
    labels = torch.arange(k).repeat(len(logits))
    return case.function(logits.repeat_interleave(k, 0), labels, **params).view(-1, k).sum(1)


@variants()
@pytest.mark.parametrize("k", [2, 3, 10])
def test_symmetric_exactly_where_the_table_says(case: LossCase, params: Params, k: int) -> None:
    draws = torch.Generator().manual_seed(k)
    logits = 3 * torch.randn(20, k, generator=draws, dtype=torch.float64)
    sums = label_sums(case, params, logits)
    expected = case.label_sum(k, **case.resolved(params))
    if expected is None:
        assert sums.max() - sums.min() > 1e-3
    else:
        torch.testing.assert_close(sums, torch.full_like(sums, expected))


def test_with_their_defaults_only_mae_and_nce_rce_are_symmetric() -> None:
    """As their papers claim; cross entropy and generalised cross entropy are not."""
    symmetric = {
        case.name for case in LOSSES if case.label_sum(10, **case.resolved({})) is not None
    }
    assert symmetric == {"mae", "nce-rce"}


@pytest.mark.parametrize("t", [1, 2, 6])
@pytest.mark.parametrize("k", [2, 10])
def test_label_sum_of_taylor_is_within_lemma_1(t: int, k: int) -> None:
    draws = torch.Generator().manual_seed(t)
    logits = 5 * torch.randn(50, k, generator=draws, dtype=torch.float64)
    case = next(case for case in LOSSES if case.function is taylor_ce)
    sums = label_sums(case, {"t": t}, logits)
    harmonic = sum(1 / j for j in range(1, t + 1))
    assert sums.min() >= k - 1 - 1e-9
    assert sums.max() <= (k - 1) * harmonic + 1e-9


def weighted_agce(weights: Tensor, p: Tensor, a: float, q: float) -> Tensor:
    """Σ_k w_k AGCE(p, k) of each row of shares."""
    n, k = p.shape
    losses = agce(p.log().repeat_interleave(k, 0), torch.arange(k).repeat(n), a=a, q=q)
    return (losses.view(n, k) * weights).sum(1)


def shares(seed: int, k: int) -> Tensor:
    """Points of the simplex: inside, near edges and near corners."""
    draws = torch.Generator().manual_seed(seed)
    spread = torch.tensor([0.3, 3.0, 30.0], dtype=torch.float64).repeat_interleave(40)[:, None]
    drawn = spread * torch.randn(120, k, generator=draws, dtype=torch.float64)
    near = torch.cat([step * torch.eye(k, dtype=torch.float64) for step in (3, 7, 12, 20)])
    return torch.cat([drawn, near]).softmax(1)


def needed_ratio(a: float, q: float) -> float:
    """How much heavier the heaviest label must be: ((a + 1) / a)^(1 - q), 1 for q ≥ 1."""
    return max(1.0, ((a + 1) / a) ** (1 - q))


@given(
    seed=st.integers(0, 2**31),
    a=st.floats(0.05, 8.0),
    q=st.floats(0.1, 4.0),
    lighter=st.lists(st.floats(0.0, 0.999), min_size=3, max_size=3),
)
def test_agce_is_asymmetric(seed: int, a: float, q: float, lighter: list[float]) -> None:
    """The certain answer of the heaviest label has the least weighted loss of all answers."""
    ratio = needed_ratio(a, q)
    weights = torch.tensor([1.0, *(w / ratio for w in lighter)], dtype=torch.float64)
    corner = torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=torch.float64).clamp(min=1e-300)
    best = float(weighted_agce(weights, corner, a, q))
    assert float(weighted_agce(weights, shares(seed, 4), a, q).min()) >= best - 1e-9


@pytest.mark.parametrize(("a", "q"), [(0.6, 0.6), (0.1, 0.3), (2.0, 0.9)])
def test_agce_is_not_asymmetric_below_the_ratio(a: float, q: float) -> None:
    """The ratio is needed: just below it, giving the lighter label some share is better."""
    ratio = needed_ratio(a, q)
    weights = torch.tensor([1.0, 1 / (0.9 * ratio + 0.1)], dtype=torch.float64)
    shifted = torch.tensor([[1 - 1e-300, 1e-300], [1 - 1e-4, 1e-4]], dtype=torch.float64)
    corner, inside = weighted_agce(weights, shifted, a, q).tolist()
    assert inside < corner


def test_ce_is_not_asymmetric() -> None:
    """The counterpart: with weights 0.8 and 0.2, cross entropy prefers p = (0.8, 0.2)."""
    weights = torch.tensor([0.8, 0.2], dtype=torch.float64)
    p = torch.tensor([[0.8, 0.2], [1 - 1e-6, 1e-6]], dtype=torch.float64)
    losses = ce(p.log().repeat_interleave(2, 0), torch.tensor([0, 1, 0, 1])).view(2, 2) @ weights
    assert losses[0] < losses[1]
    best = weighted_agce(weights, p, 0.6, 0.6)
    assert best[1] < best[0]


@pytest.mark.parametrize("k", [3, 10])
def test_noise_does_not_move_the_best_answer_of_a_symmetric_loss(k: int) -> None:
    """Expected loss under symmetric noise is an increasing line in the loss on the true label."""
    logits, targets = every_label(k)
    rate = 0.5
    for function in (mae, nce_rce):
        of_all = torch.stack([function(logits, torch.full_like(targets, c)) for c in range(k)])
        true = function(logits, targets)
        noisy = (1 - rate) * true + rate / (k - 1) * (of_all.sum(0) - true)
        slope = 1 - rate * k / (k - 1)
        constant = rate / (k - 1) * of_all.sum(0)[0]
        torch.testing.assert_close(noisy, slope * true + constant)
