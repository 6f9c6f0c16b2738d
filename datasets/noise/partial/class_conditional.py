"""Candidate sets whose wrong labels depend on the true class."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from bench.api import DataInfo, Incompatible, Noise, Rate, TrainingSet
from datasets.noise.asymmetric import SUPERCLASSES


class PartialClass(Noise):
    """Label k joins the candidates of a sample of class i with probability P[i, k], independently.

    ``among`` says which labels those are: ``next``, the class after the true one (PRODEN's pair
    flipping), with probability ``q``; ``superclass``, the other classes of CIFAR-100's super-class
    (PiCO's hierarchical setting); or ``matrix``, any probabilities, whose diagonal is read as 1.
    """

    name = "partial-class"
    paper = "Lv et al., Progressive Identification, ICML 2020, arXiv 2002.08053"
    q: Rate = 0.5
    among: Literal["next", "superclass", "matrix"] = "next"
    matrix: list[list[float]] | None = None

    def check(self, data: DataInfo) -> None:
        """The matrix must fit, and super-classes be known."""
        self.probabilities(data)

    def probabilities(self, data: DataInfo) -> np.ndarray[Any, Any]:
        """``(C, C)``: P(k is a candidate | true class i), 1 on the diagonal."""
        n = data.n_classes
        if self.among == "superclass":
            groups = {c: i for i, members in enumerate(SUPERCLASSES) for c in members.split()}
            if any(name not in groups for name in data.class_names):
                raise Incompatible(f"super-classes are known of cifar100, not of {data.label}")
            ids = np.array([groups[name] for name in data.class_names])
            chance = self.q * (ids[:, None] == ids)
        elif self.among == "next":
            chance = self.q * np.roll(np.eye(n), 1, axis=1)
        else:
            chance = np.array(self.matrix if self.matrix is not None else [], dtype=np.float64)
            if chance.shape != (n, n):
                raise Incompatible(
                    f"among: matrix needs a matrix of {n} x {n} probabilities for {data.label}, "
                    f"not one of shape {chance.shape}"
                )
            if not ((chance >= 0) & (chance <= 1)).all():
                row, column = np.argwhere(~((chance >= 0) & (chance <= 1)))[0]
                raise Incompatible(
                    f"matrix[{row}][{column}] is {chance[row, column]:g}, which is no probability"
                )
        np.fill_diagonal(chance, 1.0)
        return np.asarray(chance)

    def candidates(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """One independent draw a sample and label."""
        chance = self.probabilities(train.info)[train.labels]
        return rng.random(chance.shape) < chance

    def describe(self) -> str:
        """Which labels join, and how often."""
        return (
            "partial-class matrix"
            if self.among == "matrix"
            else (f"{self.name} {self.among} {self.q:g}")
        )
