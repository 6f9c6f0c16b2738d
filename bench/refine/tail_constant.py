"""A control: the tail scaled without looking at a label."""

from __future__ import annotations

from typing import Annotated

from bench.api import Field, HeadPath, HeadProblem, RankRule, Refiner
from bench.refine.lip import decompose, steps


class TailConstant(Refiner):
    """The tail multiplied by one constant, without any labels.

    On a ridge head LIP un-shrinks the tail; a factor above 1 does that too. On a cross-entropy head
    LIP nearly drops it; a factor below 1 does that.
    """

    name = "tail-constant"
    k: RankRule = "noisy-val"
    factor: Annotated[float, Field(ge=0)] = 1.5

    def path(self, problem: HeadProblem) -> HeadPath:
        """Heads for k = 0..rank; k = rank is the trained head."""
        left, values, right = decompose(problem)
        scale = steps(values, self.factor * values)
        bias = problem.bias.expand(len(scale), -1)
        return HeadPath(tuple(range(len(scale))), left, right, scale, bias)
