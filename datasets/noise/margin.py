"""Noise where the classes are close: polynomial-margin-diminishing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from bench.api import Field, Incompatible, Noise, Rate, TrainingSet

if TYPE_CHECKING:
    from collections.abc import Callable

KEEP: dict[int, Callable[[Any], Any]] = {
    1: lambda margin: 0.5 + margin**2 / 2,
    2: lambda margin: margin**3,
    3: lambda margin: (margin**3 + margin**2 + margin) / 3,
}
"""P(the likeliest class stays) against the margin 0..1, before it is divided by the factor."""
LARGEST = 1e6
"""A factor at which nothing stays."""


class Margin(Noise):
    """A label is the likeliest class of its sample, or the second likeliest where these are close.

    ``eta`` is the posterior of networks that the harness trains on the true labels; u and s are
    its two likeliest classes and D = eta_u - eta_s. The given label is u with probability
    ``min(1, g(D) / factor)`` and else s, with g = 1/2 + D²/2 (kind 1), D³ (kind 2) or
    (D³ + D² + D)/3 (kind 3), as the authors' code has it; the factor is solved so that the
    expected share of labels that differ from the true ones is ``rate`` (the code lists factors for
    its own network).

    As in that code the true label plays no part: where the network errs, so does the label, and
    such errors count in ``rate``. Deviation: the authors judge samples by the network that was
    trained on them; here every sample is judged by one that was not (``folds`` = 1 is theirs).
    """

    name = "margin"
    paper = "Zhang et al., Feature-Dependent Label Noise, ICLR 2021, arXiv 2103.07756"
    rate: Rate = 0.35
    kind: Literal[1, 2, 3] = 1
    folds: Annotated[int, Field(ge=1, le=20)] = 4
    epochs: Annotated[int, Field(ge=1)] = 12

    def corrupt(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """One draw a sample between its two likeliest classes."""
        first, second, margin = top_two(train.posterior(folds=self.folds, epochs=self.epochs))
        keep = self.keep(first, second, margin, train)
        return np.where(rng.random(len(keep)) < keep, first, second)

    def keep(
        self,
        first: np.ndarray[Any, Any],
        second: np.ndarray[Any, Any],
        margin: np.ndarray[Any, Any],
        train: TrainingSet,
    ) -> np.ndarray[Any, Any]:
        """P(the likeliest class is given) ``(n,)``, at the factor that gives ``rate``.

        Raises:
            Incompatible: no factor does.
        """
        grade = KEEP[self.kind](margin)
        wrong = first != train.labels, second != train.labels

        def expected(factor: float) -> float:
            stays = np.minimum(1.0, grade / factor)
            return float((stays * wrong[0] + (1 - stays) * wrong[1]).mean())

        smallest = max(float(grade[grade > 0].min(initial=1.0)), 1e-9)
        low, high = expected(smallest), expected(LARGEST)
        if not min(low, high) - 1e-9 <= self.rate <= max(low, high) + 1e-9:
            raise Incompatible(
                f"margin noise of kind {self.kind} on {train.info.label} can be wrong at rates "
                f"from {min(low, high):.3f} (the networks' own errors) to {max(low, high):.3f} "
                f"(the second class throughout), not at {self.rate:g}"
            )
        from scipy.optimize import brentq

        solved = brentq(
            lambda exponent: expected(float(np.exp(exponent))) - self.rate,
            np.log(smallest) - 1e-9,
            np.log(LARGEST) + 1e-9,
            xtol=1e-10,
        )
        return np.minimum(1.0, grade / np.exp(solved))

    def describe(self) -> str:
        """The rate and the kind in the paper's numbering."""
        return f"margin {'I' * self.kind} {self.rate:g}"


def top_two(
    posterior: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The likeliest and the second likeliest class ``(n,)`` and the margin between them."""
    order = np.argsort(-posterior, axis=1, kind="stable")
    rows = np.arange(len(posterior))
    first, second = order[:, 0], order[:, 1]
    return first, second, posterior[rows, first] - posterior[rows, second]
