"""Candidate sets of the labels that a sample could be taken for."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from bench.api import Field, Noise, Rate, TrainingSet


class PartialInstance(Noise):
    """A wrong label joins the candidates the more often, the likelier a network finds it.

    With g the posterior of networks that the harness trains on the true labels, its true entry set
    to 0, label k joins sample i with probability ``q * (g_ik / max_k g_ik) / mean``, at most 1,
    where the mean is over the wrong labels of sample i; the true label is always in the set.

    Deviations: the authors use one released network that was trained on the very samples; here
    each sample is judged by a network that was not (``folds`` = 1 is theirs). They take the mean
    over all C entries, the true one's 0 included; over the wrong ones, ``q`` is the expected share
    of wrong labels that join, save for the limit of 1.
    """

    name = "partial-instance"
    paper = "Xu et al., Instance-Dependent Partial Label Learning, NeurIPS 2021, arXiv 2110.12911"
    q: Rate = 0.3
    folds: Annotated[int, Field(ge=1, le=20)] = 4
    epochs: Annotated[int, Field(ge=1)] = 12

    def candidates(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """One independent draw a sample and label."""
        posterior = train.posterior(folds=self.folds, epochs=self.epochs).copy()
        rows = np.arange(len(posterior))
        posterior[rows, train.labels] = 0
        relative = posterior / np.maximum(posterior.max(axis=1, keepdims=True), 1e-300)
        mean = relative.sum(axis=1, keepdims=True) / (posterior.shape[1] - 1)
        chance = np.minimum(1.0, self.q * relative / np.maximum(mean, 1e-300))
        sets = rng.random(chance.shape) < chance
        sets[rows, train.labels] = True
        return np.asarray(sets)

    def describe(self) -> str:
        """The share of wrong labels that join."""
        return f"{self.name} {self.q:g}"
