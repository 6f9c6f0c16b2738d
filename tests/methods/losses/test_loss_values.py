"""The losses against their papers' equations, and what every loss owes the harness."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_table import LOSSES, ROWS, LossCase, Params, every_label, variants

from bench.registry import Registry, import_file

EXTREME = [
    [1e4, -1e4, 0.0],
    [-1e4, -1e4, 1e4],
    [1e4, 1e4, -1e4],
    [1e4, 1e4, 1e4],
    [0.0, 0.0, 0.0],
    [30.0, -30.0, 0.0],
    [1e4, 0.0, -1.0],
]
ELSEWHERE = {"gjs"}
"""Losses with tests of their own."""


def test_the_table_has_every_loss_function(registry: Registry) -> None:
    """Methods of the family that are classes (other views or batches) are tested elsewhere."""
    functions = set()
    for info in registry.all("method"):
        if info.declared.get("family") == "loss" and not info.error:
            members = vars(import_file(Path(info.file))).values()
            functions |= {m.plugin.name for m in members if hasattr(m, "plugin")} & {info.name}
    assert functions - ELSEWHERE == {case.name for case in LOSSES}


@variants()
@pytest.mark.parametrize("k", sorted(ROWS))
def test_value_is_the_papers_equation(case: LossCase, params: Params, k: int) -> None:
    logits, targets = every_label(k)
    expected = [
        case.equation(z, y, **params)
        for z, y in zip(logits.tolist(), targets.tolist(), strict=True)
    ]
    found = case.function(logits, targets, **params)
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-12
    )


@variants()
def test_float32_agrees_with_float64(case: LossCase, params: Params) -> None:
    logits, targets = every_label(10)
    found = case.function(logits.float(), targets, **params)
    assert found.dtype == torch.float32
    assert found.shape == targets.shape
    expected = case.function(logits, targets, **params).float()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5)


@variants()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_finite_at_extreme_logits(case: LossCase, params: Params, dtype: torch.dtype) -> None:
    rows = torch.tensor(EXTREME, dtype=dtype)
    logits = rows.repeat_interleave(3, 0).requires_grad_()
    losses = case.function(logits, torch.arange(3).repeat(len(rows)), **params)
    assert torch.isfinite(losses).all()
    assert losses.min() >= -1e-5
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert torch.isfinite(gradient).all()


@variants()
def test_a_batch_is_its_rows(case: LossCase, params: Params) -> None:
    logits, targets = every_label(10)
    together = case.function(logits, targets, **params)
    alone = [case.function(logits[i : i + 1], targets[i : i + 1], **params) for i in range(30)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-12, atol=1e-14)


@variants()
def test_a_row_has_no_gradient_from_another_rows_loss(case: LossCase, params: Params) -> None:
    logits, targets = every_label(3)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(case.function(logits, targets, **params)[4], logits)
    others = torch.arange(len(targets)) != 4
    assert (gradient[others] == 0).all()


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), order=st.permutations(range(7)))
def test_renaming_the_classes_changes_nothing(case: LossCase, seed: int, order: list[int]) -> None:
    draws = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(7, 7, generator=draws, dtype=torch.float64)
    targets, column = torch.arange(7), torch.tensor(order)
    renamed = case.function(logits[:, column], column.argsort()[targets])
    torch.testing.assert_close(renamed, case.function(logits, targets), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
def test_a_step_downhill_raises_the_given_label(case: LossCase) -> None:
    """The sign is right: no loss falls where the share of the given label falls."""
    logits = torch.tensor([[0.4, -0.3, 0.1]], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([1])
    (gradient,) = torch.autograd.grad(case.function(logits, targets).sum(), logits)
    stepped = (logits - 1e-3 * gradient).detach()
    before = logits.detach().softmax(1)[0, 1]
    assert float(stepped.softmax(1)[0, 1] - before) > 0
