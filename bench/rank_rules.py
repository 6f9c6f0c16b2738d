"""How the rank k is chosen: by held-out given labels, by energy, or fixed. Never by test data."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.errors import PluginError

if TYPE_CHECKING:
    import numpy as np

    Values = np.ndarray[tuple[int], np.dtype[np.float64]]


class Rule(Protocol):
    """One way to choose k."""

    @property
    def name(self) -> str:
        """As written in a suite, without its value."""
        ...

    @property
    def needs_validation(self) -> bool:
        """True when held-out samples with given labels are needed."""
        ...

    def choose(
        self,
        ks: tuple[int, ...],
        singular_values: Values,
        noisy_val_accuracy: list[float] | None,
        n_val: int,
    ) -> int:
        """Position in ``ks`` of the chosen rank.

        Args:
            ks: the ranks to choose from, ascending.
            singular_values: of the trained head, descending.
            noisy_val_accuracy: at every k, on held-out samples with given labels; None without.
            n_val: number of held-out samples.

        Raises:
            PluginError: the rule needs held-out samples, and there are none.
        """
        ...


@dataclass(frozen=True)
class HeldOut:
    """The k that predicts held-out given labels best, by what ``pick`` takes for best."""

    name: str
    pick: Callable[[list[float], int], int]
    needs_validation = True

    def choose(
        self,
        ks: tuple[int, ...],
        singular_values: Values,
        noisy_val_accuracy: list[float] | None,
        n_val: int,
    ) -> int:
        """See ``Rule``."""
        if noisy_val_accuracy is None:
            raise PluginError(f"k by {self.name} needs held-out samples; use energy:0.9 or fixed:K")
        return self.pick(noisy_val_accuracy, n_val)


@dataclass(frozen=True)
class Energy:
    """The smallest rank whose singular values hold a share of the head's squared norm."""

    share: float
    name = "energy"
    needs_validation = False

    def choose(
        self,
        ks: tuple[int, ...],
        singular_values: Values,
        noisy_val_accuracy: list[float] | None,
        n_val: int,
    ) -> int:
        """See ``Rule``."""
        import numpy as np

        shares = np.cumsum(singular_values**2) / np.sum(singular_values**2)
        return _nearest(ks, int(np.searchsorted(shares, self.share - 1e-12) + 1))


@dataclass(frozen=True)
class Fixed:
    """One rank, or the one nearest to it."""

    rank: float
    name = "fixed"
    needs_validation = False

    def choose(
        self,
        ks: tuple[int, ...],
        singular_values: Values,
        noisy_val_accuracy: list[float] | None,
        n_val: int,
    ) -> int:
        """See ``Rule``."""
        return _nearest(ks, self.rank)


def _nearest(ks: tuple[int, ...], rank: float) -> int:
    """Position of the rank nearest to ``rank``; the first of two."""
    return min(range(len(ks)), key=lambda position: abs(ks[position] - rank))


def one_standard_error(accuracy: list[float], n: int) -> int:
    """The last position whose accuracy is within one standard error of the best.

    Positions run toward the identity (largest k last), so that LIP changes nothing without
    evidence. The standard error is that of the best accuracy as a binomial share of ``n``.
    """
    best = max(accuracy)
    floor = best - math.sqrt(best * (1 - best) / n)
    return max(i for i, value in enumerate(accuracy) if value >= floor - 1e-12)


def largest_of_the_best(accuracy: list[float], n: int = 0) -> int:
    """The last of the positions with the best accuracy: any evidence, however small, moves k.

    It gains more than ``one_standard_error`` where there is something to gain, and harms more where
    there is not; ``n`` does not matter to it.
    """
    best = max(accuracy)
    return max(i for i, value in enumerate(accuracy) if value >= best - 1e-12)


def _energy(text: str) -> Rule | None:
    share = _number(text)
    return None if share is None or not 0 < share <= 1 else Energy(share)


def _fixed(text: str) -> Rule | None:
    rank = _number(text)
    return None if rank is None or rank != int(rank) else Fixed(rank)


def _number(text: str) -> float | None:
    """A number of at least 0 in plain digits."""
    try:
        return float(text) if re.fullmatch(r"[0-9.]+", text) else None
    except ValueError:
        return None


PLAIN: dict[str, Rule] = {
    "noisy-val": HeldOut("noisy-val", one_standard_error),
    "noisy-val-max": HeldOut("noisy-val-max", largest_of_the_best),
}
"""Rules without a value: with one standard error toward the identity, and without."""
VALUED: dict[str, tuple[str, Callable[[str], Rule | None]]] = {
    "energy": ("energy:SHARE (0 < SHARE <= 1)", _energy),
    "fixed": ("fixed:K", _fixed),
}
"""Rules with a value: how they are written, and what reads the value (None where it is wrong)."""


def parse_rule(text: str) -> Rule:
    """``noisy-val``, ``noisy-val-max``, ``energy:0.9`` or ``fixed:8``; else ``ValueError``."""
    name, _, value = text.partition(":")
    rule = PLAIN.get(text) or (VALUED[name][1](value) if name in VALUED else None)
    if rule is None:
        valid = (*PLAIN, *(form for form, _ in VALUED.values()))
        raise ValueError(f"no rule {text!r}; valid: {', '.join(valid)}")
    return rule
