"""Backward correction with a given or an estimated transition matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import torch

from bench.api import Batch, Field, Method
from bench.training.recipes.transition import anchors, estimator, posterior, truth

if TYPE_CHECKING:
    from torch import Tensor

LOG_SMALLEST = math.log(1e-7)
"""Keras's epsilon, to which the authors' code clips the prediction."""


class Backward(Method):
    """Backward loss correction: an unbiased loss, Σ_j (T⁻¹)_yj (-log p_j).

    Theorem 1 of the paper: in expectation over the given label it equals the cross entropy to the
    true one. ``matrix`` chooses its two variants: ``given`` is told T[i, j] = P(given j | true i);
    ``estimated`` is told nothing and estimates T as ``forward`` does (a second network before the
    first epoch; ``quantile`` 0.97 on CIFAR-10, 1 on CIFAR-100, as in the authors' code). One
    network that predicts, one view, no warm-up, one forward and backward pass a sample, and
    ``estimator_share`` more where T is estimated.

    T⁻¹ has negative entries, so that the loss has no lower bound. As in the authors' code p is
    clipped at 1e-7, which bounds it: -log p ≤ 16.1, and beyond there is no gradient. Singular
    values of T below 1e-6 of the largest count as zero (the pseudo-inverse), where the authors'
    code stops at a singular T; for any other T it is the inverse.

    Deviations: the common protocol in place of 120 (CIFAR-100: 150) epochs with rates of its own;
    the estimator is taken after its last epoch, where the authors take the one of least validation
    loss, for which a method has no labels here.
    Absent: the authors' outlier filter writes zeros into the posterior that later rows then read.
    """

    name = "backward"
    paper = "Patrini et al., Making DNNs Robust to Label Noise, CVPR 2017, arXiv 1609.03683"
    family = "transition"
    knows = frozenset({"transition_matrix"})
    knows_if = {"transition_matrix": {"matrix": "given"}}  # noqa: RUF012
    paper_params = {"cifar100": {"quantile": 1.0}}  # noqa: RUF012

    matrix: Literal["given", "estimated"] = "given"
    estimator_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    quantile: Annotated[float, Field(gt=0, le=1)] = 0.97

    def setup(self) -> None:
        """The given matrix, or none yet."""
        identity = torch.eye(self.run.n_classes, device=self.run.device)
        self.use(self.run.known.transition_matrix if self.matrix == "given" else identity)

    def use(self, matrix: Tensor) -> None:
        """Correct by this matrix from now on."""
        self.transition = matrix.float()
        self.inverse = torch.linalg.pinv(matrix.double(), rtol=1e-6).float()

    def train_epoch(self, epoch: int) -> float:
        """One pass; before the first one T is estimated where it is not given."""
        if epoch == 0 and self.matrix == "estimated":
            p = posterior(self.run, estimator(self.run, self.estimator_share))
            self.use(anchors(p, self.quantile))
        return super().train_epoch(epoch)

    def loss(self, batch: Batch) -> Tensor:
        """The corrected cross entropy."""
        log_p = self.logits(batch.x).log_softmax(1).clamp_min(LOG_SMALLEST)
        return -(self.inverse[batch.y] * log_p).sum(1)

    def label_belief(self) -> Tensor:
        """What the network and T say of the true label, the given one seen."""
        return truth(self.run.predict(self.networks[0]), self.run.labels, self.transition)
