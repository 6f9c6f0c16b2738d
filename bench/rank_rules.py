"""How the rank k is chosen: by held-out given labels, by energy, or fixed. Never by test data."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from bench.errors import PluginError

HELD_OUT = ("noisy-val", "noisy-val-max")
"""Rules that ask held-out samples: with one standard error toward the identity, and without."""


@dataclass(frozen=True)
class Rule:
    """One way to choose k.

    Attributes:
        name: ``noisy-val``, ``noisy-val-max``, ``energy`` or ``fixed``.
        value: the share of energy, or the rank.
    """

    name: str
    value: float = 0.0

    @property
    def needs_validation(self) -> bool:
        """True when held-out samples with given labels are needed."""
        return self.name in HELD_OUT

    def choose(
        self,
        ks: tuple[int, ...],
        singular_values: np.ndarray[tuple[int], np.dtype[np.float64]],
        noisy_val_accuracy: list[float] | None,
        n_val: int,
    ) -> int:
        """Position in ``ks`` of the chosen rank."""
        if self.name == "fixed":
            return int(np.argmin([abs(k - self.value) for k in ks]))
        if self.name == "energy":
            share = np.cumsum(singular_values**2) / np.sum(singular_values**2)
            rank = int(np.searchsorted(share, self.value - 1e-12) + 1)
            return int(np.argmin([abs(k - rank) for k in ks]))
        if noisy_val_accuracy is None:
            raise PluginError(f"k by {self.name} needs held-out samples; use energy:0.9 or fixed:K")
        if self.name == "noisy-val-max":
            return largest_of_the_best(noisy_val_accuracy)
        return one_standard_error(noisy_val_accuracy, n_val)


def one_standard_error(accuracy: list[float], n: int) -> int:
    """The last position whose accuracy is within one standard error of the best.

    Positions run toward the identity (largest k last), so that LIP changes nothing without
    evidence. The standard error is that of the best accuracy as a binomial share of ``n``.
    """
    best = max(accuracy)
    floor = best - math.sqrt(best * (1 - best) / n)
    return max(i for i, value in enumerate(accuracy) if value >= floor - 1e-12)


def largest_of_the_best(accuracy: list[float]) -> int:
    """The last of the positions with the best accuracy: any evidence, however small, moves k.

    It gains more than ``one_standard_error`` where there is something to gain, and harms more where
    there is not.
    """
    best = max(accuracy)
    return max(i for i, value in enumerate(accuracy) if value >= best - 1e-12)


def parse_rule(text: str) -> Rule:
    """``noisy-val``, ``noisy-val-max``, ``energy:0.9`` or ``fixed:8``; else ``ValueError``."""
    if text in HELD_OUT:
        return Rule(text)
    match = re.fullmatch(r"(energy|fixed):([0-9.]+)", text)
    if match:
        try:
            value = float(match[2])
        except ValueError:
            value = -1.0
        if match[1] == "energy" and 0 < value <= 1:
            return Rule("energy", value)
        if match[1] == "fixed" and value >= 0 and value == int(value):
            return Rule("fixed", value)
    raise ValueError(
        f"no rule {text!r}; valid: noisy-val, noisy-val-max, energy:SHARE (0 < SHARE <= 1), fixed:K"
    )
