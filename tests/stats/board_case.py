"""Boards made by hand or at random, as tidy frames and as tables of blocks by methods."""

from __future__ import annotations

import numpy as np
import pandas as pd

KEYS = ["dataset", "noise", "method", "seed", "refiner", "test_accuracy"]


def board(**methods: list[list[float]]) -> pd.DataFrame:
    """``board(ce=[[seed 0, seed 1], ...])``: one list a noise, one number a seed, refiner off.

    An empty list is a missing cell.
    """
    rows = [
        ("digits", f"noise {n}", method, seed, "off", value)
        for method, noises in methods.items()
        for n, seeds in enumerate(noises)
        for seed, value in enumerate(seeds)
    ]
    return pd.DataFrame(rows, columns=KEYS)


def random_board(
    seed: int,
    methods: int = 4,
    blocks: int = 6,
    seeds: int = 3,
    refiners: tuple[str, ...] = ("off",),
    holes: float = 0.0,
    steps: int = 1000,
) -> pd.DataFrame:
    """Accuracies on a grid of ``steps``; ``holes`` is the share of lost cells."""
    random = np.random.default_rng(seed)
    rows = []
    for block in range(blocks):
        for method in range(methods):
            lost = random.uniform() < holes
            for number in range(seeds):
                for refiner in refiners:
                    accuracy = random.integers(steps // 5, steps) / steps
                    key = (f"data {block % 2}", f"noise {block // 2}", f"m{method}", number)
                    if not lost:
                        rows.append((*key, refiner, accuracy))
    return pd.DataFrame(rows, columns=KEYS)


def shuffled(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same rows in another order."""
    order = np.random.default_rng(seed).permutation(len(frame))
    return frame.iloc[order].reset_index(drop=True)


def table(values: object) -> pd.DataFrame:
    """Blocks by methods, of numbers ``(blocks, methods)``."""
    found = np.asarray(values, dtype=float)
    n, k = found.shape
    return pd.DataFrame(
        found,
        index=pd.MultiIndex.from_arrays(
            [["digits"] * n, [f"noise {i}" for i in range(n)]], names=["dataset", "noise"]
        ),
        columns=pd.Index([f"m{j}" for j in range(k)], name="method"),
    )


def random_table(seed: int, blocks: int, methods: int, steps: int = 1000) -> pd.DataFrame:
    """Accuracies on a grid of ``steps``: few steps make many ties."""
    random = np.random.default_rng(seed)
    return table(random.integers(0, steps, (blocks, methods)) / steps)


DEMSAR = table(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
"""AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets: Demšar (2006), JMLR 7, table 6.

On voting the paper prints 0.975 for both of the last, and ranks C4.5+cf before C4.5+m+cf."""
