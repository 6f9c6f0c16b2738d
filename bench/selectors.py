"""Rules that turn a training's curve into one number. None but the oracle looks at test labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.records import EpochRecord


@dataclass(frozen=True)
class Selected:
    """What a selector answers: the epoch it chose (the last one for a mean) and its accuracy."""

    epoch: int
    test_accuracy: float


Selector = Callable[[Sequence[EpochRecord]], "Selected | None"]


def last(epochs: Sequence[EpochRecord]) -> Selected | None:
    """The last epoch: the headline."""
    return Selected(epochs[-1].epoch, epochs[-1].test_accuracy) if epochs else None


def last10(epochs: Sequence[EpochRecord]) -> Selected | None:
    """Mean of the last ten epochs."""
    if not epochs:
        return None
    tail = epochs[-10:]
    return Selected(tail[-1].epoch, sum(e.test_accuracy for e in tail) / len(tail))


def best_noisy_val(epochs: Sequence[EpochRecord]) -> Selected | None:
    """The epoch with the best held-out accuracy on given labels; the later one of equals."""
    measured = [e for e in epochs if e.noisy_val_accuracy is not None]
    if not measured:
        return None
    best = max(measured, key=lambda e: (e.noisy_val_accuracy or 0.0, e.epoch))
    return Selected(best.epoch, best.test_accuracy)


def oracle_best_test(epochs: Sequence[EpochRecord]) -> Selected | None:
    """The best test epoch: uses test labels, is marked as such and never ranked."""
    if not epochs:
        return None
    best = max(epochs, key=lambda e: e.test_accuracy)
    return Selected(best.epoch, best.test_accuracy)


SELECTORS: dict[str, Selector] = {
    "last": last,
    "last10": last10,
    "best-noisy-val": best_noisy_val,
    "oracle-best-test": oracle_best_test,
}
