"""Strong views from blocks, as a ratio to making them batch by batch, in the same run.

python benchmarks/strong_views.py
"""

from __future__ import annotations

import time

import torch

from bench.training import views
from bench.training.batches import Augmenter
from bench.training.sources import Resident

BATCH = 64


def main() -> None:
    """Print a line a data set's shape."""
    torch.set_num_threads(1)
    for n, shape in ((1_293, (1, 8, 8)), (9_000, (3, 32, 32))):
        inputs = torch.randint(0, 256, (n, *shape), dtype=torch.uint8)
        by_batch = seconds(inputs, limit=0)
        by_block = seconds(inputs, limit=2**30)
        print(
            f"{n} images {shape}: {1e6 * by_block / n:.0f} us a view from blocks, "
            f"{by_batch / by_block:.1f} x quicker than by batches of {BATCH}"
        )


def seconds(inputs: torch.Tensor, limit: int) -> float:
    """Of two views of every sample, halved; the better of three."""
    views.LIMIT = limit
    source = views.StrongViews(Resident(inputs), Augmenter(()))
    draws = torch.Generator().manual_seed(0)
    best = float("inf")
    for _ in range(3):
        source.forget()
        started = time.perf_counter()
        for index in torch.split(torch.randperm(len(inputs)), BATCH):
            source.take(index, draws)
            source.take(index, draws)
        best = min(best, time.perf_counter() - started)
    return best / 2


if __name__ == "__main__":
    main()
