"""Sums over blocks are those of the whole, for every width of features and number of classes."""

from __future__ import annotations

import pytest
import torch

from bench.refine.sums import PANEL, FeatureSums

BLOCK = 300


def data(q: int, n_classes: int, n: int = 1000) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features as after a ReLU in float32, one-hot labels, and beliefs."""
    draws = torch.Generator().manual_seed(q + n_classes)
    features = torch.randn(n, q, generator=draws).relu()
    labels = torch.randint(n_classes, (n,), generator=draws)
    beliefs = torch.rand(n, n_classes, generator=draws).softmax(1)
    return features, torch.nn.functional.one_hot(labels, n_classes).float(), beliefs


def summed(features: torch.Tensor, **labels: torch.Tensor) -> FeatureSums:
    sums = FeatureSums(features.shape[1], next(iter(labels.values())).shape[1])
    for rows in torch.arange(len(features)).split(BLOCK):
        sums.add(features[rows], {name: matrix[rows] for name, matrix in labels.items()})
    return sums


@pytest.mark.parametrize("n_classes", [2, 7, 10, 101])
@pytest.mark.parametrize("q", [5, PANEL, 2 * PANEL, 3 * PANEL, 3 * PANEL + 1])
def test_sums_of_blocks_are_sums_of_all(q: int, n_classes: int) -> None:
    x, y, beliefs = data(q, n_classes)
    sums = summed(x, given=y, belief=beliefs)
    gram = sums.gram()
    wide = x.double()
    torch.testing.assert_close(gram, wide.T @ wide, rtol=1e-12, atol=1e-10)
    assert torch.equal(gram, gram.T) or q % 2
    for name, matrix in (("given", y), ("belief", beliefs)):
        head = torch.zeros(q, n_classes, dtype=torch.float64)
        problem = sums.problem(name, head, head[0], gram)
        target = matrix.double()
        torch.testing.assert_close(problem.cross, wide.T @ target, rtol=1e-12, atol=1e-10)
        torch.testing.assert_close(problem.label_sum, target.sum(0), rtol=1e-12, atol=1e-12)
        assert problem.label_gram is not None
        torch.testing.assert_close(problem.label_gram, target.T @ target, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(problem.feature_sum, wide.sum(0), rtol=1e-12, atol=1e-12)
        assert problem.n == len(x)


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="another BLAS may differ")
def test_panels_give_the_numbers_of_the_whole_product() -> None:
    """What was stored before there were panels is still what is computed."""
    x, y, _ = data(2 * PANEL, 10)
    gram = torch.zeros(2 * PANEL, 2 * PANEL, dtype=torch.float64)
    cross = torch.zeros(2 * PANEL, 10, dtype=torch.float64)
    for rows in torch.arange(len(x)).split(BLOCK):
        block = x[rows].double()
        gram += block.T @ block
        cross += block.T @ y[rows].double()
    sums = summed(x, given=y)
    assert torch.equal(sums.gram(), gram)
    assert torch.equal(sums.problem("given", cross, cross[0], gram).cross, cross)


def test_memory_does_not_grow_with_rows() -> None:
    x, y, _ = data(PANEL, 10)
    sums = FeatureSums(PANEL, 10)

    def held() -> int:
        tensors = [v for v in vars(sums).values() if isinstance(v, torch.Tensor)]
        tensors += [v for group in sums._labels.values() for v in group]
        return sum(v.numel() for v in tensors)

    sums.add(x, {"given": y})
    once = held()
    for _ in range(5):
        sums.add(x, {"given": y})
    assert held() == once == PANEL**2 + PANEL + (PANEL + 1 + 10) * 10
    assert sums.n == 6 * len(x)
