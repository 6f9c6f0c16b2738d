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
    """The epoch with the best held-out accuracy on given labels; the later one of equals.

    Where labels are candidate sets this is the covering rate.
    """
    return _best(epochs, lambda epoch: epoch.noisy_val_accuracy)


def best_approximated(epochs: Sequence[EpochRecord]) -> Selected | None:
    """The epoch with the best approximated accuracy on held-out candidate sets."""
    return _best(epochs, lambda epoch: epoch.approximated_accuracy)


def oracle_best_test(epochs: Sequence[EpochRecord]) -> Selected | None:
    """The best test epoch: uses test labels, is marked as such and never ranked."""
    if not epochs:
        return None
    best = max(epochs, key=lambda e: e.test_accuracy)
    return Selected(best.epoch, best.test_accuracy)


def _best(
    epochs: Sequence[EpochRecord], measure: Callable[[EpochRecord], float | None]
) -> Selected | None:
    measured = [(value, e.epoch, e) for e in epochs if (value := measure(e)) is not None]
    if not measured:
        return None
    _, _, best = max(measured, key=lambda item: item[:2])
    return Selected(best.epoch, best.test_accuracy)


SELECTORS: dict[str, Selector] = {
    "last": last,
    "last10": last10,
    "best-noisy-val": best_noisy_val,
    "best-approximated": best_approximated,
    "oracle-best-test": oracle_best_test,
}
