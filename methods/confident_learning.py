"""Confident learning: prune what a cross-validated network finds to be wrong, then train."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F

from bench.api import Field, Method

if TYPE_CHECKING:
    from torch import Tensor


class ConfidentLearning(Method):
    """Confident learning: finds wrong labels out of fold, prunes them, trains on the rest.

    Every sample's ``P(given | x)`` comes from a network that was not trained on it (``folds``-fold
    cross-validation, stratified by the given label). The confident joint counts samples of given
    label y whose probability of j reaches the mean such probability of the samples given j; scaled
    to the class counts it says how many labels of each pair (y, j) are wrong, and
    ``prune_by_noise_rate`` drops that many of largest margin ``p_j - p_y``. This is
    ``cleanlab.filter.find_label_issues`` with its defaults (``filter_by`` names the others). Then
    the common protocol on what was kept, in full length; ``weight_classes`` weighs each class by
    one over its kept share. Defaults are the library's, the same for CIFAR-10 and CIFAR-100. Told
    nothing. ``folds`` networks are trained before the first epoch, each for ``fold_epochs_share``
    of the epochs on all folds but one; one network predicts. One view; with five folds (cleanlab's
    default) at full length, five forward and backward passes a sample: four for the folds, and at
    most one for the rest.

    Deviations: where fewer than two samples would be kept, all are. Absent: anything drawn from
    global generators, which importing cleanlab advances: they are put back.
    """

    name = "confident-learning"
    paper = "Northcutt et al., Confident Learning, JAIR 2021, arXiv 1911.00068"
    family = "data-centric"
    cost = 5.0

    folds: Annotated[int, Field(ge=2)] = 5
    fold_epochs_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    filter_by: Literal[
        "prune_by_noise_rate", "prune_by_class", "both", "confident_learning", "predicted_neq_given"
    ] = "prune_by_noise_rate"
    weight_classes: bool = False

    def setup(self) -> None:
        """Everything is kept, and labels are believed, until the folds are trained."""
        self.kept = torch.ones(self.run.n, dtype=torch.bool, device=self.run.device)
        self.belief = F.one_hot(self.run.labels, self.run.n_classes).float()
        self.weights = torch.ones(self.run.n_classes, device=self.run.device)

    def fold_of(self) -> Tensor:
        """The fold of every sample ``(n,)``: classes are dealt out evenly, in a drawn order."""
        labels = self.run.labels.cpu()
        order = torch.randperm(self.run.n, generator=self.run.generator("folds"))
        order = order[labels[order].argsort(stable=True)]
        fold = torch.empty_like(labels)
        fold[order] = torch.arange(self.run.n) % self.folds
        return fold.to(self.run.device)

    def held_out_posterior(self) -> Tensor:
        """``P(given | x)`` of every sample, ``(n, C)``, by a network that has not seen it."""
        epochs = max(1, round(self.fold_epochs_share * self.run.n_epochs))
        fold, found = self.fold_of(), torch.zeros_like(self.belief)
        for part in range(self.folds):
            held = fold == part
            network = self.run.new_network("fold", part)
            self.run.fit(network, (~held).nonzero().squeeze(1), epochs)
            found[held] = self.run.predict(network).softmax(1)[held]
        return found

    def prune(self, posterior: Tensor) -> None:
        """Drop the samples whose label cleanlab finds wrong."""
        labels, p = self.run.labels.cpu().numpy(), posterior.double().cpu().numpy()
        issues = torch.from_numpy(find_issues(labels, p, self.filter_by)).to(self.run.device)
        if int((~issues).sum()) < 2:
            return
        self.kept = ~issues
        self.belief = torch.where(issues[:, None], posterior, self.belief)
        if self.weight_classes:
            given = F.one_hot(self.run.labels, self.run.n_classes).float()
            kept = given[self.kept].sum(0)
            weights = given.sum(0) / kept.clamp_min(1)
            self.weights = weights * kept.sum() / (weights * kept).sum()

    def train_epoch(self, epoch: int) -> float:
        """One pass over what is kept; before the first one the folds."""
        if epoch == 0:
            self.prune(self.held_out_posterior())
        rows = self.kept.nonzero().squeeze(1)
        self.run.report_selection(rows)
        total = torch.zeros((), device=self.run.device)
        for index in self.run.shuffled(rows):
            given = self.run.labels[index]
            losses = F.cross_entropy(self.logits(self.run.view(index)), given, reduction="none")
            losses = losses * self.weights[given]
            self.run.step(losses.mean())
            total += losses.detach().sum()
        return float(total / len(rows))

    def label_belief(self) -> Tensor:
        """Given labels where they were kept, the held-out posterior where not."""
        return self.belief


def find_issues(
    labels: np.ndarray[tuple[int], np.dtype[np.int64]],
    posterior: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    filter_by: str,
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which labels are wrong; in one process, and global generators stay as they are."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 - a library may draw from it
    try:
        from cleanlab.filter import find_label_issues

        return np.asarray(find_label_issues(labels, posterior, filter_by=filter_by, n_jobs=1))
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
