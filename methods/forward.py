"""Forward correction with a given or an estimated transition matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import torch

from bench.api import Batch, Field, Method
from bench.training.recipes.transition import anchors, estimator, forward_loss, posterior, truth

if TYPE_CHECKING:
    from torch import Tensor


class Forward(Method):
    """Forward loss correction: -log (pᵀT)_y with T[i, j] = P(given j | true i).

    Equation 5 and theorem 2 of the paper. ``matrix`` chooses its two variants: ``given`` is told T
    (the paper's "T" rows); ``estimated`` (its "T̂" rows) is told nothing, trains a second network
    by cross entropy before the first epoch and takes row i from its prediction on the most typical
    sample of class i (``quantile`` 0.97 on CIFAR-10, 1 on CIFAR-100, as in the authors' code). One
    network that predicts, one view, no warm-up, one forward and backward pass a sample, and
    ``estimator_share`` more where T is estimated (1: the paper's estimator is a training of full
    length).

    Deviations: the common protocol in place of 120 (CIFAR-100: 150) epochs with rates of its own;
    the estimator is taken after its last epoch, where the authors take the one of least validation
    loss, for which a method has no labels here: a network that memorises them gives a T close to
    the identity, and a smaller ``estimator_share`` stops it earlier.
    Absent: the authors' outlier filter writes zeros into the posterior that later rows then read.
    """

    name = "forward"
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
        if self.matrix == "given":
            self.transition = self.run.known.transition_matrix
        else:
            self.transition = torch.eye(self.run.n_classes, device=self.run.device)

    def train_epoch(self, epoch: int) -> float:
        """One pass; before the first one T is estimated where it is not given."""
        if epoch == 0 and self.matrix == "estimated":
            p = posterior(self.run, estimator(self.run, self.estimator_share))
            self.transition = anchors(p, self.quantile).float()
        return super().train_epoch(epoch)

    def loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood of the given label under the corrupted prediction."""
        return forward_loss(self.logits(batch.x), batch.y, self.transition)

    def label_belief(self) -> Tensor:
        """What the network and T say of the true label, the given one seen."""
        return truth(self.run.predict(self.networks[0]), self.run.labels, self.transition)
